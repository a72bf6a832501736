"""`http://HOST:PORT/NAME` keeps the index contract on a real Elasticsearch."""

import itertools
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from indexers import Index, Query, open_index, parse
from indexers.errors import EngineFailed, NoGeneration, UnusableIndex
from tests.contract.index_contract import SharedIndexContract
from tests.contract.index_newsroom import CATALOG, gone, story
from tests.servers.elasticsearch import drop

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "javac", "mvn", "flock")]


class TestElasticsearchIndex(SharedIndexContract):
    numbers = itertools.count()
    many = 3_000
    writes_outlive_processes = True

    @pytest.fixture(autouse=True)
    def _cleared(self, elasticsearch: str) -> Iterator[None]:
        """A node takes a thousand indexes; those that one test left are gone before the next."""
        type(self).node = elasticsearch
        yield
        drop(elasticsearch, "views", keep=self.shared_name())

    node: str

    def shared_name(self) -> str | None:
        found: Index | None = type(self).__dict__.get("_shared")
        return None if found is None else found.url.rpartition("/")[2]

    def make_url(self) -> str:
        return f"{self.node}/views{next(self.numbers)}x"

    def left_behind(self, index: Index) -> list[Path]:
        name = index.url.rpartition("/")[2]
        with Elasticsearch(self.node) as client:
            found = {str(found) for found in client.indices.get_alias(index=f"{name}*")}
        current = f"{name}-{index.info().generation.lower()}"
        return [Path(left) for left in sorted(found - {current, f"{name}.lease"})]

    def test_the_server_is_searched_by_hand_through_the_alias(self) -> None:
        index = self.new([story(1, headline="The foxes"), gone(story(2))])
        with Elasticsearch(self.node) as client:
            found = client.search(index=index.url.rpartition("/")[2], query={"match": {"text.headline": "fox"}})
        assert [hit["_id"] for hit in found["hits"]["hits"]] == [f"story {story(1).uri}"]

    def test_several_processes_write_one_generation_and_versions_decide(self) -> None:
        index = self.new([story(1)], applied_through=1)
        writer = self.child("write", index.url, 2, 7)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        index.write([story(2, version=5, headline="older"), story(3, version=8)], applied_through=5)
        assert (index.info().applied_through, index.info().live["story"]) == (7, 3)
        assert index.get("story", story(2).uri) == story(2, version=7)
        self.last_words(writer)

    def test_a_server_that_takes_no_writes_is_told_and_nothing_changes(self) -> None:
        index = self.new([story(1)], applied_through=1)
        name = index.url.rpartition("/")[2]
        with Elasticsearch(self.node) as client:
            client.indices.put_settings(index=name, settings={"index.blocks.read_only_allow_delete": True})
            with pytest.raises(EngineFailed):
                index.write([story(2, version=2)], applied_through=2)
            client.indices.put_settings(index=name, settings={"index.blocks.read_only_allow_delete": None})
        assert (index.info().applied_through, list(index.scan())) == (1, [story(1)])
        index.write([story(2, version=2)], applied_through=2)
        assert index.search(Query()).total == 2

    def test_a_write_to_a_generation_that_was_removed_makes_no_index(self) -> None:
        index = self.new([story(1)])
        pinned = index.generation(self.build(index, [story(2)], 1))
        self.again(index).remove(pinned.info().generation)
        with pytest.raises(NoGeneration):
            pinned.write([story(3)], applied_through=2)
        with pytest.raises(NoGeneration):
            list(pinned.scan())
        assert self.left_behind(index) == []

    def test_a_scan_of_a_generation_that_is_removed_meanwhile_says_so(self) -> None:
        index = self.new([story(number) for number in range(1_200)])
        scan = index.scan()
        next(scan)
        self.load(index, [story(1)])
        with pytest.raises(NoGeneration):
            list(scan)

    def test_a_teams_own_settings_are_taken_in_place_of_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours = Path(str(files("indexers.elasticsearch") / "templates" / "settings.json.j2")).read_text()
        own = self.tmp_path / "templates"
        own.mkdir()
        (own / "settings.json.j2").write_text(ours.replace('"lowercase", ', '"lowercase", "stop", '))
        monkeypatch.setenv("PUBLOG_ELASTICSEARCH_TEMPLATES", str(own))
        assert self.new([story(1, headline="the fox")]).search(Query(text=parse("the"))).total == 0

    def test_a_team_may_give_a_field_an_analyzer_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = files("indexers.elasticsearch") / "templates"
        own = self.tmp_path / "templates"
        own.mkdir()
        settings, mappings = ((folder / f"{name}.json.j2").read_text() for name in ("settings", "mappings"))
        names = '"names": {"type": "custom", "tokenizer": "letters", "filter": ["lowercase"]},'
        (own / "settings.json.j2").write_text(settings.replace('"analyzer": {', f'"analyzer": {{ {names}'))
        chosen = '"analyzer": "{{ "names" if path == "body" else "news" }}"'
        (own / "mappings.json.j2").write_text(mappings.replace('"analyzer": "news"', chosen))
        monkeypatch.setenv("PUBLOG_ELASTICSEARCH_TEMPLATES", str(own))
        index = self.new([story(1, headline="Foxes"), story(2, body=["Foxes"])])

        def found(text: str) -> set[str]:
            return {hit.uri for hit in index.search(Query(text=parse(text))).hits}

        assert (found("fox"), found("foxes")) == ({story(1).uri}, {story(1).uri, story(2).uri})

    @pytest.mark.parametrize(
        ("name", "template", "reason"),
        [
            (
                "settings",
                '{\n"a": {{ nothing }}\n}',
                r"settings\.json\.j2:2 can't be rendered \('nothing' is undefined\)",
            ),
            ("mappings", "{\n\n{% if %}", r"mappings\.json\.j2:3 can't be rendered"),
            ("mappings", '{\n"a": 1,,\n}', r"mappings\.json\.j2 makes no JSON \(.*line 2, column 8 of what it makes"),
            (
                "settings",
                '{"analysis": {"analyzer": {"news": {"tokenizer": "none"}}}}',
                r"no generation can be made \(.*none",
            ),
        ],
    )
    def test_a_broken_template_is_refused_with_its_place(
        self, name: str, template: str, reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (self.tmp_path / f"{name}.json.j2").write_text(template)
        monkeypatch.setenv("PUBLOG_ELASTICSEARCH_TEMPLATES", str(self.tmp_path))
        index = self.new()
        with pytest.raises(UnusableIndex, match=reason):
            index.begin(CATALOG)
        assert list(index.generations()) == []

    def test_replicas_and_refresh_are_off_while_a_generation_is_built_and_back_when_it_is_complete(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours = (files("indexers.elasticsearch") / "templates" / "settings.json.j2").read_text()
        own = ours.replace('"auto_expand_replicas": "0-1"', '"index.number_of_replicas": 2').replace(
            '"refresh_interval": "-1"', '"refresh_interval": "7s"'
        )
        (self.tmp_path / "settings.json.j2").write_text(own)
        monkeypatch.setenv("PUBLOG_ELASTICSEARCH_TEMPLATES", str(self.tmp_path))
        index = self.new()
        name = index.begin(CATALOG)

        def settings() -> tuple[str, str]:
            with Elasticsearch(self.node) as client:
                found = client.indices.get_settings(
                    index=f"{index.url.rpartition('/')[2]}-{name.lower()}", flat_settings=True
                )
            (about,) = found.body.values()
            return about["settings"]["index.number_of_replicas"], about["settings"]["index.refresh_interval"]

        assert settings() == ("0", "-1")
        index.extend(name, [self.part([story(1)])], loaded=1)
        index.finish(name, applied_through=1)
        assert settings() == ("2", "7s")

    def test_in_several_shards_a_write_is_seen_whole_when_its_watermark_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours = (files("indexers.elasticsearch") / "templates" / "settings.json.j2").read_text()
        (self.tmp_path / "settings.json.j2").write_text(ours.replace('"number_of_shards": 1', '"number_of_shards": 3'))
        monkeypatch.setenv("PUBLOG_ELASTICSEARCH_TEMPLATES", str(self.tmp_path))
        index = self.new([story(number) for number in range(30)], applied_through=1)
        assert index.search(Query()).total == 30
        index.write([story(number, version=2) for number in range(40)], applied_through=2)
        found = index.search(Query(limit=50))
        assert (found.applied_through, found.total, {hit.version for hit in found.hits}) == (2, 40, {2})
        assert sorted(index.scan()) == sorted(story(number, version=2) for number in range(40))

    def test_very_long_uris_are_documents_of_their_own(self) -> None:
        uris = [f"nyt://article/{'x' * 511}{end}" for end in "ab"]
        views = [story(1)._replace(uri=uri) for uri in uris]
        index = self.new(views)
        assert sorted(index.scan()) == sorted(views)
        assert index.get("story", uris[1]) == views[1]
        index.write([gone(views[0], 3)], applied_through=3)
        assert [hit.uri for hit in index.search(Query()).hits] == [uris[1]]

    @pytest.mark.parametrize("url", ["http://localhost:9200", "http://localhost:9200/Upper", "http://localhost/a/b"])
    def test_a_url_without_a_good_name_is_refused(self, url: str) -> None:
        with pytest.raises(UnusableIndex, match="in lower case"):
            open_index(url)

    def test_a_server_that_is_away_is_told(self) -> None:
        index = open_index("http://127.0.0.1:1/views")
        self.indexes.append(index)
        with pytest.raises(EngineFailed, match="could not be used"):
            index.search(Query())
