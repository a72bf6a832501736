"""The fold over a closed range gives what the fold gives: the same lines, the same dead letters, in any shard and memory."""

from collections.abc import Callable
from contextlib import closing
from unittest.mock import patch
from zlib import crc32

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assets.codec import Codec
from assets.errors import InvalidUri
from assets.limits import URI_ID_CHARACTERS_MAX
from assets.model import check_uri
from denormalizer.errors import OutOfOrder
from denormalizer.expansion import Bounds
from denormalizer.fold import Shard
from denormalizer.range_fold import UNBOUNDED, CompiledFold, PlainFold, RangeFold
from tests.support.building import Publication
from tests.support.strategies import publications

native = pytest.importorskip("denormalizer.native", reason="denormalizer/native.pyx is not compiled: no C compiler")

SHARDS = [(0, 1), (0, 2), (1, 2), (3, 5)]
BOUNDS = [Bounds(), Bounds(nodes_max=3), Bounds(bytes_max=150), Bounds(nodes_max=5, bytes_max=400)]
Make = Callable[[Publication, Shard, Bounds], RangeFold]


def plain(publication: Publication, shard: Shard, bounds: Bounds) -> RangeFold:
    return PlainFold(publication.plan, publication.codec, shard, bounds, contiguous=True)


def compiled(publication: Publication, shard: Shard, bounds: Bounds, memory_max: int = UNBOUNDED) -> CompiledFold:
    return CompiledFold(publication.plan, publication.codec, shard, bounds, contiguous=True, memory_max=memory_max)


def in_no_memory(publication: Publication, shard: Shard, bounds: Bounds) -> RangeFold:
    with patch("denormalizer.range_fold.PAYLOAD_CHUNK_BYTES", 64):
        return compiled(publication, shard, bounds, memory_max=0)


def by_the_libraries(publication: Publication, shard: Shard, bounds: Bounds) -> RangeFold:
    codec = Codec(publication.catalog.kinds, publication.schemas, compiled=False)
    return CompiledFold(publication.plan, codec, shard, bounds, contiguous=True, memory_max=UNBOUNDED)


def lines(fold: RangeFold, views_max: int = 1_000) -> list[bytes]:
    found: list[bytes] = []
    with closing(fold):
        while (part := fold.emit(views_max)) is not None:
            found += bytes(part).splitlines(keepends=True)
    return found


@pytest.mark.parametrize("make", [compiled, in_no_memory, by_the_libraries])
@given(
    publication=publications(),
    shard=st.sampled_from(SHARDS).map(lambda shard: Shard(*shard)),
    bounds=st.sampled_from(BOUNDS),
    views_max=st.sampled_from([1, 3, 1_000]),
)
def test_it_gives_what_the_fold_gives(
    make: Make, publication: Publication, shard: Shard, bounds: Bounds, views_max: int
) -> None:
    expected, fold = plain(publication, shard, bounds), make(publication, shard, bounds)
    for each in (expected, fold):
        each.apply(publication.messages)
    assert sorted(lines(fold, views_max)) == sorted(lines(expected))
    assert sorted(fold.dead_letters) == sorted(expected.dead_letters)
    assert (fold.counts(), fold.bounded, fold.watermark) == (expected.counts(), expected.bounded, expected.watermark)


@given(publications(), st.data())
def test_it_goes_on_behind_any_root(publication: Publication, data: st.DataObject) -> None:
    whole = compiled(publication, Shard(), Bounds())
    whole.apply(publication.messages)
    parts: list[tuple[str | None, list[bytes]]] = []
    while (part := whole.emit(1)) is not None:
        parts.append((whole.behind, bytes(part).splitlines(keepends=True)))
    if not parts:
        return
    cut = data.draw(st.integers(0, len(parts) - 1))
    again = compiled(publication, Shard(), Bounds())
    again.apply(publication.messages)
    behind, _ = parts[cut]
    assert behind is not None
    again.skip(behind)
    assert lines(again) == [line for _, part in parts[cut + 1 :] for line in part]


@given(publications(), st.integers(0, 1_000), st.integers(1, 1_000))
def test_what_was_applied_is_dropped_and_a_gap_is_told(publication: Publication, first: int, step: int) -> None:
    messages = publication.messages
    fold, once = compiled(publication, Shard(), Bounds()), compiled(publication, Shard(), Bounds())
    once.apply(messages)
    for start in range(0, len(messages), step):
        fold.apply(messages[max(start - first, 0) : start + step])
    assert lines(fold) == lines(once)
    if len(messages) > 1:
        with pytest.raises(OutOfOrder):
            compiled(publication, Shard(), Bounds()).apply(messages[1:])


@given(st.binary(max_size=100))
def test_the_checksum_is_zlibs(data: bytes) -> None:
    assert native.crc32(data) == crc32(data)


@given(
    st.from_regex(r"[a-z0-9+.\-A ]{0,4}:?/{0,3}[A-Za-z_0-9]{0,4}/?[ -~\n]{0,8}é?", fullmatch=True)
    | st.text(max_size=20)
)
@example("nyt://article/" + "x" * URI_ID_CHARACTERS_MAX)
@example("nyt://article/" + "x" * (URI_ID_CHARACTERS_MAX + 1))
def test_a_uri_is_what_the_model_says(uri: str) -> None:
    try:
        check_uri(uri)
    except InvalidUri:
        right = False
    else:
        right = True
    assert native.is_uri(uri.encode(errors="replace"), URI_ID_CHARACTERS_MAX) == right
