"""`http://HOST:PORT/NAME` keeps the index contract on a real Elasticsearch."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from indexers import Index, Query, open_index
from indexers.errors import EngineFailed, UnusableIndex
from tests.contract.index_contract import SharedIndexContract
from tests.contract.index_newsroom import gone, story
from tests.support.elasticsearch_node import elasticsearch_node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with elasticsearch_node(tmp_path_factory.mktemp("elasticsearch")) as url:
        yield url


class TestElasticsearchIndex(SharedIndexContract):
    numbers = itertools.count()
    many = 3_000

    @pytest.fixture(autouse=True)
    def _cleared(self, node: str) -> Iterator[None]:
        """A node takes a thousand indexes; those that one test left are gone before the next."""
        type(self).node = node
        yield
        with Elasticsearch(node) as client:
            kept = self.shared_name()
            names = [str(name) for name in client.indices.get_alias(index="*")]
            for name in names:
                if kept is None or not name.startswith(kept):
                    client.indices.delete(index=name)

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
