"""The fold agrees with the oracle: on every view, at every offset, however it is driven."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import groupby, pairwise
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.codec import Codec
from assets.log import Log, open_log
from assets.model import Draft, Message, Transaction
from denormalizer.as_of import AsOf
from denormalizer.errors import OutOfOrder
from denormalizer.explain import explain
from denormalizer.fold import Fold
from denormalizer.view import View
from tests.support.building import POISON, Publication, assert_same, by_key, record
from tests.support.oracle import is_uri
from tests.support.strategies import publication as publication_of
from tests.support.strategies import publications

Json = Any
Views = dict[tuple[str, str], View]

SHARDS = (1, 2, 5)


class Checked:
    """Folds driven side by side with the oracle: every emission must be exactly what it should be."""

    def __init__(self, publication: Publication, shards: int = 1) -> None:
        self.publication = publication
        self.folds = publication.folds(shards)
        self.views: Views = {}
        self.bytes: dict[tuple[str, str, int], View] = {}
        self.emitted_through: int | None = None

    def apply(self, messages: Sequence[Message]) -> None:
        for fold in self.folds:
            fold.apply(messages)

    def emit(self) -> None:
        """Take the emission of all shards, and compare."""
        watermark = self.folds[0].watermark
        expected = self.publication.expected(watermark)
        previous = self.emitted_through
        due = {
            key
            for key, view in expected.items()
            if previous is None or any(offset is not None and offset > previous for offset in view["sources"].values())
        }
        emitted = by_key(view for fold in self.folds for view in fold.emit())
        assert emitted.keys() == due
        for key, view in emitted.items():
            assert_same(view, expected[key])
            assert view.bounds == ()
            assert key not in self.views or self.views[key].version < view.version
            assert self.bytes.setdefault((*key, view.version), view) == view
        self.views.update(emitted)
        assert self.views.keys() == expected.keys()
        for key, view in self.views.items():
            assert_same(view, expected[key])
        self.emitted_through = watermark


def drive(checked: Checked, cuts: Iterable[int]) -> Checked:
    """Apply everything, and emit behind each of these offsets."""
    for before, cut in pairwise([-1, *cuts]):
        checked.apply(checked.publication.messages[before + 1 : cut + 1])
        checked.emit()
    return checked


def last_offset(publication: Publication) -> int:
    return len(publication.messages) - 1


@st.composite
def cut_publications(draw: Callable[..., Any]) -> tuple[Publication, list[int]]:
    """A publication and the offsets behind which it is emitted; at the end in any case."""
    publication: Publication = draw(publications())
    last = last_offset(publication)
    cuts = draw(st.sets(st.integers(0, last)))
    return publication, sorted({*cuts, last})


# ------------------------------------------------------------------------------------------------------- the agreement


@given(publications())
def test_every_view_agrees_at_every_offset_message_by_message(publication: Publication) -> None:
    drive(Checked(publication), range(len(publication.messages)))


@given(cut_publications(), st.sampled_from(SHARDS))
def test_every_view_agrees_in_any_batching_and_sharding(cut: tuple[Publication, list[int]], shards: int) -> None:
    publication, cuts = cut
    drive(Checked(publication, shards), cuts)


@given(publications())
def test_the_views_are_the_same_without_the_compiled_module(publication: Publication) -> None:
    compiled, plain = publication.fold(), publication.fold(compiled=False)
    for fold in (compiled, plain):
        fold.apply(publication.messages)
    assert list(compiled.emit()) == list(plain.emit())
    assert compiled.dead_letters == plain.dead_letters


@given(publications())
def test_emission_at_the_ends_of_transactions_agrees(publication: Publication) -> None:
    drive(Checked(publication, 2), [message.offset for message in publication.messages if message.tx_end])


@given(cut_publications())
def test_a_view_of_one_version_has_the_same_bytes_however_it_was_made(cut: tuple[Publication, list[int]]) -> None:
    publication, cuts = cut
    last = last_offset(publication)
    one_by_one = drive(Checked(publication), range(last + 1))
    for shards in SHARDS:
        for way in (cuts, [last]):
            other = drive(Checked(publication, shards), way)
            assert other.views == one_by_one.views
            assert other.bytes.items() <= one_by_one.bytes.items()


@given(cut_publications(), st.data())
def test_a_fold_made_anew_half_way_goes_on_with_the_same_views(
    cut: tuple[Publication, list[int]], data: st.DataObject
) -> None:
    publication, cuts = cut
    before = drive(Checked(publication, 2), cuts)
    again = Checked(publication, 2)
    # It may have got further before than where it starts to emit again, or less far.
    again.apply(publication.messages[: data.draw(st.integers(0, len(publication.messages)), label="read again")])
    again.emit()
    drive(again, [offset for offset in cuts if offset > (again.emitted_through or 0)])
    assert again.views == before.views


@given(publications())
def test_an_emission_given_up_half_way_comes_again_whole(publication: Publication) -> None:
    last = last_offset(publication)
    checked = Checked(publication)
    for cut in {last // 2, last}:
        checked.apply(publication.messages[: cut + 1])
        next(checked.folds[0].emit(), None)
        checked.emit()
    assert list(checked.folds[0].emit()) == []


@given(publications(), st.sampled_from(SHARDS))
def test_an_emission_said_to_be_the_last_gives_the_same(publication: Publication, shards: int) -> None:
    folds, as_last = publication.folds(shards), publication.folds(shards)
    for fold in (*folds, *as_last):
        fold.apply(publication.messages)
    views = by_key(view for fold in folds for view in fold.emit())
    assert by_key(view for fold in as_last for view in fold.emit(last=True)) == views
    assert [sorted(fold.dead_letters) for fold in as_last] == [sorted(fold.dead_letters) for fold in folds]


@given(publications(), st.data())
def test_dependents_are_the_views_with_the_asset_in_their_closure(
    publication: Publication, data: st.DataObject
) -> None:
    folds = publication.folds(data.draw(st.sampled_from([1, 2]), label="shards"))
    for message in publication.messages:
        for fold in folds:
            fold.apply([message])
        what = data.draw(st.integers(0, 2), label="what is asked for")
        if what == 0:
            for fold in folds:
                list(fold.emit())
        elif what == 1:
            expected = publication.expected(message.offset)
            known = {uri for view in expected.values() for uri in view["sources"] if is_uri(uri)}
            for uri in sorted(known | {"x://a/nowhere"}):
                found = by_key(view for fold in folds for view in fold.dependents(uri))
                assert found.keys() == {key for key, view in expected.items() if uri in view["sources"]}
                for key, view in found.items():
                    assert_same(view, expected[key])
    checked = Checked(publication, len(folds))
    drive(checked, [last_offset(publication)])
    assert checked.views.items() >= by_key(view for fold in folds for view in fold.emit()).items()


@given(publications(poison=False))
def test_a_view_record_survives_its_line(publication: Publication) -> None:
    for view in drive(Checked(publication), [last_offset(publication)]).views.values():
        assert View.from_line(view.to_line()) == view
        assert json.loads(view.to_line()) == record(view)


def test_an_emission_expands_no_more_views_than_may_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"type": "string", "logicalType": "asset-ref", "kinds": ["a"]}
    schema = {"type": "record", "name": "a", "fields": [{"name": "r", "type": ["null", one], "default": None}]}
    files = {"kinds/a.avsc": json.dumps(schema), "views.toml": '[views.v]\nroot = "a"\nexpand = ["r"]'}
    pairs = [
        {"uri": f"x://a/{n}", "kind": "a", "op": "publish", "data": {"r": f"x://a/{n - 1}"} if n % 2 else {}}
        for n in range(20)
    ]
    made = Publication(files, [*pairs, pairs[4], pairs[7]])
    fold = made.fold()
    expanded: list[str] = []
    expand = fold._expander.expand
    monkeypatch.setattr(
        fold._expander, "expand", lambda view, uri, root: (expanded.append(uri), expand(view, uri, root))[1]
    )
    for upto, due in ((20, range(20)), (20, []), (21, [4, 5]), (22, [7]), (22, [])):
        expanded.clear()
        fold.apply(made.messages[:upto])
        assert len(list(fold.emit())) == len(due)
        assert sorted(expanded) == sorted(f"x://a/{n}" for n in due)


@given(publications(), st.data())
def test_a_single_view_as_of_any_offset_agrees_and_is_explained(publication: Publication, data: st.DataObject) -> None:
    watermark = data.draw(st.integers(0, last_offset(publication)), label="watermark")
    messages = publication.messages[: watermark + 1]
    as_of = AsOf(
        publication.plan,
        publication.codec,
        lambda uri: (message for message in reversed(messages) if message.uri == uri),
    )
    expected = publication.expected(watermark)
    for uri in {message.uri for message in messages}:
        assert by_key(as_of.views(uri)).keys() == {key for key in expected if key[1] == uri}
        for view in as_of.views(uri):
            assert_same(view, expected[view.view, uri])
    for plan in publication.plan.views:
        for uri in {uri for view, uri in expected if view == plan.definition.name}:
            shown = expected[plan.definition.name, uri]
            explanation = explain(as_of, plan, uri)
            assert explanation is not None
            assert explanation.version == shown["version"]
            assert shown["sources"][explanation.cause[-1].uri] == shown["version"]


# ------------------------------------------------------------------------------------------- order, repetition, poison


@given(cut_publications(), st.data())
def test_messages_delivered_again_are_dropped(cut: tuple[Publication, list[int]], data: st.DataObject) -> None:
    publication, cuts = cut
    checked = Checked(publication, 2)
    for cut_at in cuts:
        again = data.draw(st.integers(0, max(checked.folds[0].watermark, 0)), label="delivered from")
        checked.apply(publication.messages[again : cut_at + 1])
        checked.emit()
    for fold in checked.folds:
        letters = [letter.offset for letter in fold.dead_letters]
        assert len(letters) == len(set(letters))


@given(publications(), st.data())
def test_a_skipped_message_is_an_error_and_nothing_behind_it_is_applied(
    publication: Publication, data: st.DataObject
) -> None:
    skipped = data.draw(st.integers(0, last_offset(publication)), label="skipped")
    messages = publication.messages
    checked = Checked(publication)
    behind = [*messages[skipped + 1 :], Message(len(messages), "x://a/1", 0, "id", None, True, None)]
    with pytest.raises(OutOfOrder) as error:
        checked.apply([*messages[:skipped], *behind])
    assert (error.value.offset, error.value.expected) == (skipped + 1, skipped)
    assert str(error.value) == (
        f"message {skipped + 1} came where {skipped} was due; read the log again from {skipped}"
    )
    assert checked.folds[0].watermark == skipped - 1
    drive(checked, [last_offset(publication)])


@given(publications(), st.integers(1, 5))
def test_offsets_may_have_gaps_where_the_log_says_so(publication: Publication, gap: int) -> None:
    spread = [message._replace(offset=message.offset * gap + 2) for message in publication.messages]
    fold = publication.fold(contiguous=False)
    dense = publication.fold()
    for message, original in zip(spread, publication.messages, strict=True):
        fold.apply([message])
        dense.apply([original])
        emitted = by_key(fold.emit())
        assert [(key, view.version) for key, view in emitted.items()] == [
            (key, view.version * gap + 2) for key, view in by_key(dense.emit()).items()
        ]


@given(publications(), st.sampled_from(SHARDS))
def test_each_poison_message_is_named_exactly_once_over_all_shards(publication: Publication, shards: int) -> None:
    folds = drive(Checked(publication, shards), range(len(publication.messages))).folds
    named = sorted(
        (letter.offset, letter.uri, letter.code, letter.value) for fold in folds for letter in fold.dead_letters
    )
    assert named == [
        (offset, message["uri"], POISON[message["poison"]], publication.messages[offset].value)
        for offset, message in enumerate(publication.plain)
        if message["op"] == "poison" and message["kind"] in publication.plan.shapes
    ]
    for fold in folds:
        assert all(letter.reason for letter in fold.dead_letters)


@pytest.mark.parametrize("shards", SHARDS)
def test_a_message_whose_key_is_no_uri_is_a_dead_letter(shards: int) -> None:
    good = publication_of(1, 0, poison=False)
    keys = ["", "nothing", "x://a", "x://a/", 'x://a/1"', "x://a/é", "x://a/1\n", "X://a/1", "x://a/" + "1" * 513]
    value = next(message.value for message in good.messages if message.uri.startswith("x://a/") and message.value)
    bad = [
        Message(offset, key, 0, str(offset), None, True, None if offset % 2 else value)
        for offset, key in enumerate(keys, len(good.messages))
    ]
    folds = good.folds(shards)
    for fold in folds:
        fold.apply([*good.messages, *bad])
    named = sorted((letter.offset, letter.uri, letter.code) for fold in folds for letter in fold.dead_letters)
    assert named == [(message.offset, message.uri, "bad-uri") for message in bad]
    expected = good.expected(last_offset(good))
    for key, view in by_key(view for fold in folds for view in fold.emit()).items():
        assert_same(view, expected[key])


@pytest.mark.parametrize("shards", SHARDS)
@pytest.mark.parametrize("before", [None, "publish", "unpublish"])
def test_what_was_readable_last_stands_below_any_number_of_unreadable_versions(before: str | None, shards: int) -> None:
    # A shard keeps another's assets undecoded, a few versions of each: any of them may be the last that can be read.
    kinds = {
        "a": [{"name": "r", "type": {"type": "string", "logicalType": "asset-ref", "kinds": ["b"]}}],
        "b": [{"name": "key", "type": "string"}],
    }
    files = {
        f"kinds/{kind}.avsc": json.dumps({"type": "record", "name": kind, "fields": fields})
        for kind, fields in kinds.items()
    }
    files["views.toml"] = '[views.v]\nroot = "a"\nexpand = ["r"]'
    hub = {"uri": "x://b/1", "kind": "b", "data": {"key": "last"}}
    messages: list[Json] = [
        {"uri": f"x://a/{n}", "kind": "a", "op": "publish", "data": {"r": "x://b/1"}} for n in range(9)
    ]
    if before is not None:
        messages += [{**hub, "op": "publish", "data": {"key": f"{n}"}} for n in range(30)] + [{**hub, "op": before}]
    messages += [{**hub, "op": "poison", "poison": "too-short"}] * 30
    made = Publication(files, messages)
    drive(Checked(made, shards), [last_offset(made)])
    drive(Checked(made, shards), range(len(messages)))


# ------------------------------------------------------------------------------------------------------ through a log


def append(log: Log, publication: Publication, messages: Sequence[Message]) -> None:
    assert [log.register_schema(schema.kind, schema.text) for schema in publication.schemas] == publication.schemas
    transactions = groupby(messages, key=lambda message: message.tx or message.offset)
    with log.writing():
        log.append(
            Transaction(
                tx if isinstance(tx, str) else None, [Draft(one.uri, one.time, one.id, one.value) for one in group]
            )
            for tx, group in transactions
        )


@settings(max_examples=20)
@given(publications(), st.sampled_from(["memory:", "sqlite:"]), st.sampled_from(SHARDS))
def test_every_view_agrees_through_a_log_that_is_closed_half_way(
    publication: Publication, adapter: str, shards: int
) -> None:
    ends = [message.offset for message in publication.messages if message.tx_end]
    half = ends[len(ends) // 2]
    checked = Checked(publication, shards)
    with TemporaryDirectory() as folder, closing(open_log(f"memory:{folder}")):
        for part in (publication.messages[: half + 1], publication.messages[half + 1 :]):
            with closing(open_log(f"{adapter}{folder}/log" if adapter == "sqlite:" else f"memory:{folder}")) as log:
                append(log, publication, part)
                checked.apply(list(log.read(checked.folds[0].watermark + 1)))
                checked.emit()
                fold = Fold(publication.plan, Codec(publication.catalog.kinds, log.schemas()))
                fold.apply(log.read())
                assert by_key(fold.emit()) == checked.views
