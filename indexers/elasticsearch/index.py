"""Generations on a server, of which an alias names the current one.

NAME-GENERATION         an index: one generation; what it says of itself is in its mapping's `_meta`
NAME-GENERATION.write   its own alias, through which it is written
NAME-GENERATION.drop    an alias while it is of no use: a load makes it, or has taken its place; who loads next removes it
NAME                    the alias that names the current one: whoever searches by hand searches this
NAME.lease              an index with one document: the right to make another one current
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from assets.catalog import Catalog
from assets.model import NEVER
from denormalizer.view import View
from indexers.elasticsearch.calls import Calls, Missing, Refused
from indexers.elasticsearch.generation import ElasticsearchGeneration, writing_alias
from indexers.elasticsearch.leases import ServerLease
from indexers.elasticsearch.mapping import BUILDING, make_body
from indexers.elasticsearch.sharing import ElasticsearchShare
from indexers.errors import (
    CorruptIndex,
    EngineFailed,
    GenerationMoved,
    IndexersError,
    NoGeneration,
    NoIndex,
    UnusableIndex,
)
from indexers.following import Following
from indexers.generations import (
    NEVER_LOADED,
    Description,
    check_complete,
    check_expected,
    check_retired,
    check_unfinished,
    created,
    describe,
    is_name,
)
from indexers.limits import OPEN_ATTEMPTS_MAX
from indexers.port import (
    Changes,
    Counts,
    Dependents,
    GenerationInfo,
    IndexInfo,
    Lease,
    OnUnfit,
    Place,
    Query,
    Related,
    Results,
    Suggestions,
    Typed,
)

_META: Final = "publog"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._+-]{0,99}")
_T = TypeVar("_T")


class Meta(msgspec.Struct, frozen=True):
    """What a generation's index says of itself."""

    name: str
    """The index's name in its URL: another's may begin with it."""
    generation: str
    catalog_digest: str
    applied_through: int
    """When it was finished; what it reflects by now, its documents say."""
    description: Description
    serving: dict[str, Any]
    """The settings that it gets when it is complete: while it is built it has no replicas and is not refreshed."""


class Standing(NamedTuple):
    """How a generation's index stands among the others."""

    meta: Meta
    is_current: bool
    is_doomed: bool


class ElasticsearchIndex(Following):
    """Generations on one server, under one name."""

    def __init__(self, url: str, on_unfit: OnUnfit | None = None) -> None:
        super().__init__()
        self._on_unfit = on_unfit
        parts = urlsplit(url)
        self._name = parts.path.strip("/")
        if not parts.hostname or not _NAME.fullmatch(self._name):
            raise UnusableIndex(
                url, "the name is missing, or no name of an index", "Write http://HOST:PORT/NAME, in lower case"
            )
        if parts.username or parts.query or parts.fragment:
            raise UnusableIndex(url, "a URL holds no secrets and no options", "Set PUBLOG_ELASTICSEARCH_API_KEY")
        self._url = f"{parts.scheme}://{parts.netloc}/{self._name}"
        default = 443 if parts.scheme == "https" else 9200
        server = f"{parts.scheme}://{parts.netloc}" + ("" if parts.port else f":{default}")
        self._calls = Calls(server, self._url)
        self._lease = ServerLease(self._calls, f"{self._name}.lease", self._url)
        self._opening = Lock()
        self._handles: dict[str, ElasticsearchGeneration] = {}

    @property
    def url(self) -> str:
        return self._url

    # --------------------------------------------------------------------------------------------- the current generation

    def _reading(self, use: Callable[[ElasticsearchGeneration], _T]) -> _T:
        """What the current generation answers, or the one that took its place meanwhile."""
        for _ in range(OPEN_ATTEMPTS_MAX):
            present = self._present()
            try:
                return use(present)
            except NoGeneration:
                self._handles.pop(present.index, None)
        raise EngineFailed(self._url, "it was replaced again and again while it was being read")

    def info(self) -> IndexInfo:
        try:
            return self._reading(lambda present: present.info())
        except NoIndex:
            return NEVER_LOADED

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        # They may have to be written twice, when the current generation is replaced meanwhile.
        self._present()
        super().write(list(views), applied_through=applied_through, repair=repair, remove=list(remove))

    def get(self, view: str, uri: str) -> View | None:
        return self._reading(lambda present: present.get(view, uri))

    def scan(self, view: str | None = None) -> Iterator[View]:
        return self._reading(lambda present: present.scan(view))

    def applied_through(self) -> int:
        try:
            return self._reading(lambda present: present.applied_through())
        except NoIndex:
            return NEVER_LOADED.applied_through

    def changes(self, place: Place, *, view: str | None = None, limit: int, bytes_max: int) -> Changes:
        return self._reading(lambda present: present.changes(place, view=view, limit=limit, bytes_max=bytes_max))

    def dependents(self, uris: Collection[str], *, limit: int) -> Dependents:
        return self._reading(lambda present: present.dependents(uris, limit=limit))

    def search(self, query: Query) -> Results:
        return self._reading(lambda present: present.search(query))

    def suggest(self, typed: Typed) -> Suggestions:
        return self._reading(lambda present: present.suggest(typed))

    def related(self, view: str, uri: str, limit: int = 10) -> Related | None:
        return self._reading(lambda present: present.related(view, uri, limit))

    # ------------------------------------------------------------------------------------------------------- generations

    def load(
        self,
        parts: Sequence[Path],
        *,
        catalog: Catalog,
        applied_through: int,
        counted: Counts | None = None,  # noqa: ARG002 - each record is looked at anyway
    ) -> IndexInfo:
        with self._changes:
            self._sweep()
            former = self._pointed()
            made, meta = self._make(catalog, is_doomed=True)
            try:
                made.extend(parts, 0)
                made.finish(applied_through)
                self._end(made, meta, applied_through)
                self._point(made.index, former, is_load=True)
            except IndexersError:
                # An answer may have been lost on the way: what is current stays.
                if self._pointed() != made.index:
                    self._delete(made.index)
                raise
            if former:
                self._delete(former)
            return made.info()

    def generations(self) -> Sequence[GenerationInfo]:
        return [
            info
            for index, standing in self._standings().items()
            if not standing.is_doomed and (info := self._about(index, standing)) is not None
        ]

    def generation(self, name: str) -> ElasticsearchGeneration:
        index, meta = self._named(name)
        check_complete(self._url, meta.description)
        return self._handle(index, meta)

    def share(self, name: str, writer: int, writers: int) -> ElasticsearchShare:
        return ElasticsearchShare(self.generation(name), writer, writers)

    def catalog(self, name: str | None = None) -> Catalog:
        if name is None:
            return self._present().catalog
        return self._handle(*self._named(name)).catalog

    def begin(self, catalog: Catalog) -> str:
        with self._changes:
            self._sweep()
            return self._make(catalog)[0].name

    def extend(self, name: str, parts: Sequence[Path], *, loaded: int) -> None:
        index, meta = self._named(name)
        handle = self._handle(index, meta)
        check_unfinished(self._url, meta.description, handle.loaded()[0], loaded)
        handle.extend(parts, loaded)

    def finish(self, name: str, *, applied_through: int) -> None:
        index, meta = self._named(name)
        check_unfinished(self._url, meta.description)
        handle = self._handle(index, meta)
        handle.finish(applied_through)
        self._end(handle, meta, applied_through)

    def switch(self, name: str, *, expected: str, token: int) -> None:
        with self._changes:
            self._lease.check(token)
            former = self._pointed()
            check_expected(self._url, expected, self._standing(former).meta.generation if former else "")
            self._point(self.generation(name).index, former)

    def remove(self, name: str) -> None:
        with self._changes:
            index, _ = self._named(name)
            current = self._pointed()
            check_retired(self._url, name, self._standing(current).meta.generation if current else "")
            self._delete(index)

    def lease(self, holder: str) -> AbstractContextManager[Lease]:
        return self._lease.held(holder)

    def close(self) -> None:
        self._calls.close()

    # ------------------------------------------------------------------------------------------------ what the server has

    def _pointed(self) -> str:
        """The index that the alias names; empty where there is none.

        Raises:
            CorruptIndex: it names several.
        """
        try:
            found = list(self._calls.ask("GET", f"/_alias/{quote(self._name)}"))
        except Missing:
            return ""
        if len(found) != 1:
            raise CorruptIndex(self._url, f"its alias names {len(found)} generations")
        return found[0]

    def _point(self, index: str, former: str, *, is_load: bool = False) -> None:
        """Have the alias name another index, in one step; refused where it names another than the former one by now.

        In the same step a load makes the new one of use and the former one of none.
        """
        actions: list[dict[str, Any]] = []
        if former and former != index:
            actions.append({"remove": {"index": former, "alias": self._name, "must_exist": True}})
        actions.append({"add": {"index": index, "alias": self._name}})
        if is_load:
            actions.append({"remove": {"index": index, "alias": _doom(index)}})
            if former:
                actions.append({"add": {"index": former, "alias": _doom(former)}})
        try:
            self._calls.ask("POST", "/_aliases", {"actions": actions})
        except (Missing, Refused):
            current = self._pointed()
            # An answer may have been lost, so that it was asked again.
            if current != index:
                raise GenerationMoved(self._url, former, current) from None

    def _present(self) -> ElasticsearchGeneration:
        for _ in range(OPEN_ATTEMPTS_MAX):
            index = self._pointed()
            if not index:
                raise NoIndex(self._url)
            handle = self._handles.get(index)
            if handle is not None:
                return handle
            with suppress(NoGeneration):
                return self._handle(index, self._standing(index).meta)
        raise EngineFailed(self._url, "it was replaced again and again while it was being opened")

    def _handle(self, index: str, meta: Meta) -> ElasticsearchGeneration:
        with self._opening:
            handle = self._handles.get(index)
            if handle is None:
                catalog = meta.description.catalog(self._url)
                handle = ElasticsearchGeneration(
                    self._calls, index, catalog, meta.generation, self._url, self._on_unfit
                )
                self._handles[index] = handle
            return handle

    def _standings(self, pattern: str = "-*") -> dict[str, Standing]:
        """Every generation's index and how it stands, all at one moment, oldest first."""
        params = {"filter_path": "*.aliases,*.mappings._meta"}
        found = self._calls.ask("GET", f"/{quote(self._name)}{pattern}", params=params)
        standings = {
            index: standing for index, body in found.items() if (standing := self._read(index, body)) is not None
        }
        return dict(sorted(standings.items(), key=lambda item: item[1].meta.generation))

    def _standing(self, index: str) -> Standing:
        try:
            found = self._standings(index.removeprefix(self._name))
        except Missing:
            raise NoGeneration(self._url, index) from None
        if index not in found:
            raise CorruptIndex(self._url, f"{index} is no generation of it")
        return found[index]

    def _read(self, index: str, body: dict[str, Any]) -> Standing | None:
        """What an index says of itself; nothing where it is none of ours."""
        told = body.get("mappings", {}).get("_meta", {}).get(_META)
        if told is None or told.get("name") != self._name:
            return None
        try:
            meta = msgspec.convert(told, Meta)
        except msgspec.ValidationError as error:
            raise CorruptIndex(self._url, f"what {index} says of itself can't be read ({error})") from None
        aliases = body.get("aliases", {})
        return Standing(meta, self._name in aliases, _doom(index) in aliases)

    def _named(self, name: str) -> tuple[str, Meta]:
        index = f"{self._name}-{name.lower()}"
        if not is_name(name) or not _NAME.fullmatch(index.removeprefix(f"{self._name}-")):
            raise NoGeneration(self._url, name)
        try:
            standing = self._standing(index)
        except (CorruptIndex, NoGeneration):
            raise NoGeneration(self._url, name) from None
        if standing.meta.generation != name or standing.is_doomed:
            raise NoGeneration(self._url, name)
        return index, standing.meta

    def _about(self, index: str, standing: Standing) -> GenerationInfo | None:
        """What is to be said of a generation; nothing when it is not there any more."""
        meta = standing.meta
        try:
            handle = self._handle(index, meta)
            complete = meta.description.complete
            return GenerationInfo(
                name=meta.generation,
                catalog_digest=meta.catalog_digest,
                applied_through=handle.applied_through() if complete else NEVER,
                loaded=handle.loaded()[0],
                current=standing.is_current,
                complete=complete,
                created=created(meta.generation),
                bytes=self._bytes(index),
            )
        except NoGeneration:
            return None

    def _bytes(self, index: str) -> int:
        try:
            found = self._calls.ask("GET", f"/{index}/_stats/store")
        except Missing:
            raise NoGeneration(self._url, index) from None
        return found["_all"]["total"]["store"]["size_in_bytes"]

    def _make(self, catalog: Catalog, *, is_doomed: bool = False) -> tuple[ElasticsearchGeneration, Meta]:
        description = describe(catalog, complete=False)
        name = description.generation
        index = f"{self._name}-{name.lower()}"
        settings, mappings = make_body(catalog, self._url)
        serving = {name: settings.get(name) for name in BUILDING}
        meta = Meta(self._name, name, catalog.digest, NEVER, description, serving)
        aliases: dict[str, Any] = {writing_alias(index): {"is_write_index": True}}
        if is_doomed:
            aliases[_doom(index)] = {}
        body = {
            "settings": {**settings, **BUILDING},
            "mappings": {**mappings, "_meta": {_META: msgspec.to_builtins(meta)}},
            "aliases": aliases,
        }
        try:
            self._calls.ask("PUT", f"/{index}", body)
        except Refused as refused:
            # Where the answer to the first of two requests was lost, it is there already.
            standing = self._standings().get(index)
            if standing is None or standing.meta != meta:
                raise UnusableIndex(
                    self._url, f"no generation can be made ({refused.reason})", "See to the templates"
                ) from None
        return self._handle(index, meta), meta

    def _end(self, handle: ElasticsearchGeneration, meta: Meta, applied_through: int) -> None:
        """Give a generation its replicas, and say that it is complete."""
        ended = msgspec.structs.replace(meta, applied_through=applied_through, description=meta.description.finished())
        self._calls.ask("PUT", f"/{handle.index}/_settings", {"index": meta.serving})
        self._calls.ask("PUT", f"/{handle.index}/_mapping", {"_meta": {_META: msgspec.to_builtins(ended)}})

    def _sweep(self) -> None:
        """Remove what loads left behind that were killed on the way, and what they took the place of."""
        for index, standing in self._standings().items():
            if standing.is_doomed and not standing.is_current:
                self._delete(index)

    def _delete(self, index: str) -> None:
        with suppress(Missing):
            self._calls.ask("DELETE", f"/{index}")
        self._handles.pop(index, None)


def _doom(index: str) -> str:
    return f"{index}.drop"
