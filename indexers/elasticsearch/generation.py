"""One generation: an index of the server's, read, written, searched.

Writes go through an alias of the index's own and say that they need it: the server would otherwise make an index, with no
mapping, for a write to one that was removed.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import local
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote

from assets.catalog import Catalog
from assets.collector import paused_collector
from assets.model import NEVER
from denormalizer.view import View
from indexers.cursors import Position
from indexers.documents import document_id, tie
from indexers.elasticsearch import names
from indexers.elasticsearch.calls import Action, Calls, Missing, Refused
from indexers.elasticsearch.matching import Clause
from indexers.elasticsearch.searching import Search, read_hit
from indexers.elasticsearch.suggesting import Suggesting
from indexers.elasticsearch.writing import (
    Maker,
    Spool,
    bare_action,
    delete_action,
    line_of,
    loaded_action,
    send,
    watermark_action,
)
from indexers.engine import fields
from indexers.engine.fields import Analyzers, Fields, make_analyzers
from indexers.engine.matching import is_encodable
from indexers.engine.ordering import Found
from indexers.engine.searching import check_size, make_hit
from indexers.errors import CorruptIndex, EngineFailed, InvalidRecord, NoGeneration
from indexers.limits import (
    CALL_PAUSE_SECONDS,
    RELATED_MAX,
    RELATED_TERMS_MAX,
    REMOVED_SECONDS_MAX,
    SERVER_PAGE_DOCUMENTS,
)
from indexers.port import (
    Changes,
    Dependents,
    IndexInfo,
    OnUnfit,
    Place,
    Query,
    Related,
    Results,
    Suggestions,
    Typed,
    Unfit,
)
from indexers.records import open_parts, read_content, read_lines, read_record

_KEEP_ALIVE: Final = "5m"
"""How long the server keeps a state of the index for a scan that asks no more of it."""
_SHELVES_MAX: Final = 10_000
_NEWER: Final = "external"
_SAME_OR_NEWER: Final = "external_gte"
_NONE: Final = Action("", b"", -1)


class _Written(NamedTuple):
    """What became of documents that were sent."""

    odd: dict[str, int]
    """The status of those that are not there as they were sent."""
    lost: int
    """Those that are not there at all, as the server takes nothing of them."""


class _Reading(local):
    """What is for one thread."""

    analyzers: Analyzers | None = None
    maker: Maker | None = None


def writing_alias(index: str) -> str:
    """The alias that writes to this index go through."""
    return f"{index}.write"


class ElasticsearchGeneration:
    """One generation. Threads and processes may share it, and write it: versions say what stays."""

    def __init__(
        self, calls: Calls, index: str, catalog: Catalog, generation: str, url: str, on_unfit: OnUnfit | None
    ) -> None:
        """`index` is the server's name of it."""
        self.index = index
        self.catalog = catalog
        self.name = generation
        self._calls = calls
        self._url = url
        self._on_unfit = on_unfit
        self._shards: int | None = None
        self._known = Fields(catalog)
        self._reading = _Reading()

    # ------------------------------------------------------------------------------------------------------- writing

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.put(views, repair=repair, remove=remove)
        self._pass(applied_through)

    def put(self, views: Iterable[View], *, repair: bool = False, remove: Iterable[tuple[str, str]] = ()) -> None:
        """Write documents, and let the watermark be."""
        maker = self._maker()
        version_type = _SAME_OR_NEWER if repair else _NEWER
        with closing(Spool()) as spool:
            # All are made before the first is sent.
            for view in views:
                spool.add(maker.action(view, view.to_line(), document_id(view.view, view.uri), version_type))
            removed = {document_id(*one) for one in remove if is_encodable("".join(one))}
            if removed:
                self._write(delete_action(id_) for id_ in removed)
                highest: dict[str, Action] = {}
                for action in spool:
                    if action.id in removed and action.version > highest.get(action.id, _NONE).version:
                        highest[action.id] = action
                self._bring_back(list(highest.values()))
            self._write(action for action in spool if action.id not in removed)

    def _write(self, actions: Iterable[Action]) -> _Written:
        """Send documents."""
        lost = 0
        outcome = send(self._calls, writing_alias(self.index), actions)
        for action, reason in outcome.unfit:
            if self._on_unfit is None:
                raise InvalidRecord(action.id, f"Elasticsearch can't index it ({reason})")
            # It is kept, so that it is what it is for whoever reads it or compares it, and nothing older is found.
            bare = self._calls.bulk(writing_alias(self.index), [bare_action(action)])
            lost += len(bare.unfit)
            reasons = [reason, *(f"nor without its text and facets: {still}" for _, still in bare.unfit)]
            self._on_unfit(Unfit(read_record(line_of(action), action.id), "; ".join(reasons)))
        return _Written(outcome.odd, lost)

    def _pass(self, applied_through: int) -> None:
        """Say how far the documents go, behind all of them, and have all be seen."""
        if self._shards is None:
            self._shards = self._count_shards()
        if self._shards > 1:
            # The watermark's own refresh shows its shard's.
            self._calls.ask("POST", f"/{self.index}/_refresh")
        self._calls.bulk(writing_alias(self.index), [watermark_action(applied_through)], refresh=True)

    # Of several writers, each says for itself how far its documents go (indexers.elasticsearch.sharing).

    def show(self) -> None:
        """Have what was written be seen."""
        self._calls.ask("POST", f"/{self.index}/_refresh")

    def say(self, mark: Action) -> None:
        """Keep a mark."""
        self._calls.bulk(writing_alias(self.index), [mark])

    def pass_through(self, applied_through: int) -> None:
        """Let the watermark rise, where it is lower, to what all documents reflect that are seen."""
        self._calls.bulk(writing_alias(self.index), [watermark_action(applied_through)], refresh=True)

    def marks(self, ids: Sequence[str]) -> list[int]:
        """What these marks say, as they were written last."""
        try:
            found = self._calls.ask("POST", f"/{self.index}/_mget", {"ids": [names.key(id_) for id_ in ids]})
        except Missing:
            raise NoGeneration(self._url, self.name) from None
        return [int(one["_source"][names.RECORD]) if one.get("found") else NEVER for one in found["docs"]]

    def _count_shards(self) -> int:
        try:
            found = self._calls.ask("GET", f"/{self.index}/_settings/index.number_of_shards")
        except Missing:
            raise NoGeneration(self._url, self.name) from None
        return int(found[self.index]["settings"]["index"]["number_of_shards"])

    def _bring_back(self, actions: Sequence[Action]) -> None:
        """Write documents that were removed just now: the server remembers their versions until it is refreshed."""
        end = time.monotonic() + REMOVED_SECONDS_MAX
        while actions:
            self._calls.ask("POST", f"/{self.index}/_refresh")
            odd = self._write(actions).odd
            actions = [action for action in actions if odd.get(action.id) == 409]
            if actions and time.monotonic() > end:
                raise EngineFailed(self._url, f"it still has the version of {actions[0].id}, which was removed")
            if actions:
                time.sleep(CALL_PAUSE_SECONDS)

    def extend(self, parts: Sequence[Path], loaded: int) -> None:
        """Add the records in these files to an unfinished one, and then say that they are there.

        A step that was cut off, or in which something is no record, may leave documents behind that nobody can read and
        `finish` counts; who repeats it writes the same ones.
        """
        _, count = self.loaded()
        maker = self._maker()
        made = 0

        def actions() -> Iterator[Action]:
            nonlocal made
            for file, name in open_parts(parts):
                for line, place in read_lines(file, name):
                    yield maker.action(read_record(line, place), line, place, _SAME_OR_NEWER)
                    made += 1

        with paused_collector():
            written = self._write(actions())
        self._calls.bulk(writing_alias(self.index), [loaded_action(loaded, count + made - written.lost)])

    def finish(self, applied_through: int) -> None:
        """End what `extend` did: say what it reflects.

        Raises:
            InvalidRecord: a view stands there more than once.
        """
        _, count = self.loaded()
        self._pass(applied_through)
        request = {"query": {"bool": {"must_not": [{"term": {names.SHELF: names.MARK}}]}}, "size": 0}
        present = self._ask({**request, "track_total_hits": True})["hits"]["total"]["value"]
        if present != count:
            raise InvalidRecord(
                self.index,
                f"{count} records make {present} documents: a view stands in the parts more than once, or a step was refused",
            )

    def loaded(self) -> tuple[int, int]:
        """What `extend` said last, and how many records it had added by then."""
        line = self._line(names.LOADED_ID, is_latest=True)
        if line is None:
            return 0, 0
        loaded, count = line.split()
        return int(loaded), int(count)

    # ------------------------------------------------------------------------------------------------------- reading

    def info(self) -> IndexInfo:
        aggregations: Clause = {
            "shelves": {"terms": {"field": names.SHELF, "size": _SHELVES_MAX}},
            "through": {"max": {"field": names.THROUGH}},
        }
        found = self._ask({"size": 0, "aggs": aggregations})["aggregations"]
        live, gone = self._shelves(found["shelves"]["buckets"])
        through = found["through"]["value"]
        if through is None:
            raise CorruptIndex(self._url, "it does not say what it reflects")
        return IndexInfo(int(through), self.catalog.digest, self.name, live, gone)

    def _shelves(self, buckets: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], dict[str, int]]:
        counts = {"live": dict.fromkeys(self._known.views, 0), "gone": dict.fromkeys(self._known.views, 0)}
        for bucket in buckets:
            word, space, view = cast("str", bucket["key"]).partition(" ")
            if space:
                counts[word][view] = bucket["doc_count"]
        return counts["live"], counts["gone"]

    def applied_through(self) -> int:
        line = self._line(names.WATERMARK_ID)
        return NEVER if line is None else int(line)

    def get(self, view: str, uri: str) -> View | None:
        id_ = document_id(view, uri)
        line = self._line(id_) if is_encodable(id_) else None
        return None if line is None else read_record(line.encode(), self._url)

    def _line(self, id_: str, *, is_latest: bool = False) -> str | None:
        """The line of a document, as searches see it or as it was written last."""
        path = f"/{self.index}/_doc/{quote(names.key(id_), safe='')}"
        try:
            answer = self._calls.ask("GET", path, params={"realtime": "true" if is_latest else "false"})
        except Missing:
            # The document may be missing, or all of the index.
            self._check_there()
            return None
        return cast("str", answer["_source"][names.RECORD])

    def _check_there(self) -> None:
        try:
            self._calls.ask("GET", f"/{self.index}/_settings/index.uuid")
        except Missing:
            raise NoGeneration(self._url, self.name) from None

    def scan(self, view: str | None = None) -> Iterator[View]:
        self._known.check_view(view)
        return self._scan(self._open_state(), view)

    def _open_state(self) -> str:
        try:
            return self._calls.ask("POST", f"/{self.index}/_pit", params={"keep_alive": _KEEP_ALIVE})["id"]
        except Missing:
            raise NoGeneration(self._url, self.name) from None

    def _close_state(self, state: str) -> None:
        # It may have ended by itself, or with the index.
        with suppress(Missing):
            self._calls.ask("DELETE", "/_pit", {"id": state})

    def _scan(self, state: str, view: str | None) -> Iterator[View]:
        views = self._known.views if view is None else [view]
        shelves = [fields.shelf(word, name) for name in views for word in ("live", "gone")]
        query = {"bool": {"filter": [{"terms": {names.SHELF: shelves}}]}}
        try:
            for hit in self._all(state, query, ["_shard_doc"]):
                yield read_hit(hit, self._url)
        except EngineFailed:
            # A state of an index that is gone has no shard that could answer.
            self._check_there()
            raise
        finally:
            self._close_state(state)

    def _all(self, state: str, query: Clause, sort: Sequence[Any], after: Sequence[Any] = ()) -> Iterator[Any]:
        """The hits in this state of the index, a page at a time."""
        place = list(after)
        while True:
            request: dict[str, Any] = {
                "query": query,
                "pit": {"id": state, "keep_alive": _KEEP_ALIVE},
                "sort": list(sort),
                "size": SERVER_PAGE_DOCUMENTS,
                "_source": [names.RECORD],
                "track_total_hits": False,
            }
            if place:
                request["search_after"] = place
            hits = self._search("/_search", request)["hits"]["hits"]
            yield from hits
            if len(hits) < SERVER_PAGE_DOCUMENTS:
                return
            place = hits[-1]["sort"]

    def search(self, query: Query) -> Results:
        return Search(query, self._known, self._analyzers(), self._ask, self._url).results(self.name, self._texts)

    def changes(self, place: Place, *, view: str | None = None, limit: int, bytes_max: int) -> Changes:
        self._known.check_view(view)
        state = self._open_state()
        try:
            marks = self._search("/_search", {
                "pit": {"id": state, "keep_alive": _KEEP_ALIVE}, "size": 0,
                "aggs": {"through": {"max": {"field": names.THROUGH}}},
            })  # fmt: skip
            through = int(marks["aggregations"]["through"]["value"])
            views = [view] if view is not None else list(self._known.views)
            shelves = [fields.shelf(word, name) for name in views for word in ("live", "gone")]
            held = [
                {"terms": {names.SHELF: shelves}},
                {"range": {names.VERSION: {"gte": place.version, "lte": through}}},
            ]
            after = [place.version, names.signed(tie(place.id)), place.id] if place.id else []
            found: list[View] = []
            has_more = False
            left = bytes_max
            sort = [{names.VERSION: "asc"}, {names.TIE: "asc"}, {names.ID: "asc"}]
            for hit in self._all(state, {"bool": {"filter": held}}, sort, after):
                record = read_hit(hit, self._url)
                left -= len(record.content) + len(record.sources)
                has_more = len(found) == limit or (left < 0 and bool(found))
                if has_more:
                    break
                found.append(record)
        finally:
            self._close_state(state)
        if has_more:
            last = found[-1]
            place = Place(last.version, document_id(last.view, last.uri))
        else:
            place = max(place, Place(through + 1))
        return Changes(found, place, has_more, through, self.name, self.catalog.digest)

    def suggest(self, typed: Typed) -> Suggestions:
        suggesting = Suggesting(typed, self._known, self._analyzers(), self._ask, self._url)
        hits = suggesting.hits(self._texts)
        return Suggestions(suggesting.completions(), hits, self.applied_through(), self.name)

    def dependents(self, uris: Collection[str], *, limit: int) -> Dependents:
        known = [uri for uri in uris if is_encodable(uri)]
        request = {
            "query": {"bool": {"filter": [{"terms": {names.SOURCES: known}}]}},
            "size": limit,
            "sort": [{names.NEWEST: "asc"}, {names.ID: "asc"}],
            "_source": [names.RECORD],
            "aggs": {"shelves": {"terms": {"field": names.SHELF, "size": _SHELVES_MAX}}},
        }
        answer = self._ask(request)
        counts, _ = self._shelves(answer["aggregations"]["shelves"]["buckets"])
        views = [read_hit(hit, self._url) for hit in answer["hits"]["hits"]]
        return Dependents({view: count for view, count in counts.items() if count}, [view[:2] for view in views])

    def related(self, view: str, uri: str, limit: int = 10) -> Related | None:
        self._known.check_view(view)
        check_size(limit, RELATED_MAX, "related documents")
        asked = self.get(view, uri)
        if asked is None or asked.state != "live":
            return None
        values = self._maker().values(asked, self._url)
        hits: list[Any] = []
        if values and limit:
            alike = {
                "fields": sorted(values),
                "like": [{"_index": self.index, "doc": values}],
                "min_doc_freq": 2,
                "min_term_freq": 1,
                "max_query_terms": RELATED_TERMS_MAX,
                "minimum_should_match": 1,
            }
            request: dict[str, Any] = {
                "query": {
                    "bool": {
                        "must": [{"more_like_this": alike}],
                        "filter": [{"term": {names.SHELF: fields.shelf("live", view)}}],
                        "must_not": [{"term": {names.ID: document_id(view, uri)}}],
                    }
                },
                "sort": [{"_score": "desc"}, {names.NEWEST: "asc"}, {names.ID: "asc"}],
                "size": limit,
                "_source": [names.RECORD],
            }
            for hit in self._ask(request)["hits"]["hits"]:
                score, rank, id_ = hit["sort"]
                hits.append(make_hit(Found(read_hit(hit, self._url), Position(rank, id_, score)), "newest", {}))
        return Related(hits, self.applied_through(), self.name)

    def close(self) -> None:
        """Nothing to release: the connections are the index's."""

    def _ask(self, request: Clause) -> Any:
        return self._search(f"/{self.index}/_search", request)

    def _search(self, path: str, request: Clause) -> Any:
        try:
            answer = self._calls.ask("POST", path, request)
        except Missing:
            raise NoGeneration(self._url, self.name) from None
        except Refused as refused:
            raise EngineFailed(self._url, refused.reason) from None
        if answer["_shards"]["failed"] or answer["timed_out"]:
            raise EngineFailed(self._url, "a part of it did not answer")
        return answer

    def _analyzers(self) -> Analyzers:
        if self._reading.analyzers is None:
            self._reading.analyzers = make_analyzers()
        return self._reading.analyzers

    def _maker(self) -> Maker:
        if self._reading.maker is None:
            self._reading.maker = Maker(self.catalog, self._known)
        return self._reading.maker

    def _texts(self, view: View) -> Mapping[str, Sequence[str]]:
        return self._maker().text(view.view, read_content(view, self._url))
