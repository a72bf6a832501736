"""A state is used where it belongs, and thrown away everywhere else."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from assets.log import Log, open_log
from assets.model import Draft, Message, Transaction
from denormalizer.fold import StoredAsset
from pipeline.errors import JobRunning
from pipeline.stream.state import EMPTY, Header, State, StateStore
from pipeline.stream.states import discard, held, is_held, state_file

HEADER = Header("digest", "generation", "sqlite:/log", 0, 2)
ASSETS = [
    StoredAsset("x://a/1", 0, b"\0payload", ("x://b/1", "x://b/2")),
    StoredAsset("x://b/1", 1, None, ()),
    StoredAsset("x://b/2", 2, b"", ()),
]


def make_log(count: int, prefix: str = "id") -> Log:
    log = open_log("memory:")
    with log.writing():
        log.append([Transaction(None, [Draft(f"x://a/{n}", 0, f"{prefix}{n}", None)]) for n in range(count)])
    return log


def messages(log: Log) -> list[Message]:
    return list(log.read())


def load(path: Path, log: Log, header: Header = HEADER) -> State:
    with closing(StateStore(path, header)) as store:
        return store.load(log)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state at offset 2."""
    path = tmp_path / "state.sqlite"
    log = make_log(3)
    with closing(StateStore(path, HEADER)) as store:
        assert store.load(log) == EMPTY
        store.save(ASSETS[:2], messages(log)[1])
        store.save([*ASSETS[2:], ASSETS[0]], messages(log)[2])
    return path


def test_a_state_comes_back_as_it_was_saved(path: Path) -> None:
    found = load(path, make_log(5))
    assert found.watermark == 2
    assert sorted(found.assets) == sorted(ASSETS)


def test_an_asset_is_replaced_and_the_watermark_may_stay(path: Path) -> None:
    log = make_log(5)
    with closing(StateStore(path, HEADER)) as store:
        store.load(log)
        store.save([StoredAsset("x://b/1", 2, b"new", ("x://a/1",))], None)
    found = load(path, log)
    assert found.watermark == 2
    assert StoredAsset("x://b/1", 2, b"new", ("x://a/1",)) in found.assets
    assert len(found.assets) == 3


@pytest.mark.parametrize(
    "header",
    [
        HEADER._replace(catalog="other"),
        HEADER._replace(generation="other"),
        HEADER._replace(log="sqlite:/other"),
        HEADER._replace(shard=1),
        HEADER._replace(shards=3),
    ],
)
def test_the_state_of_something_else_is_not_used(path: Path, header: Header) -> None:
    assert load(path, make_log(5), header) == EMPTY
    # It was made anew: the former owner does not find its own.
    assert load(path, make_log(5)) == EMPTY


@pytest.mark.parametrize(
    "log", [make_log(2), make_log(0), make_log(5, prefix="other")], ids=["shorter", "empty", "other"]
)
def test_the_state_of_a_log_that_was_replaced_is_not_used(path: Path, log: Log) -> None:
    assert load(path, log) == EMPTY


def change(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(statement)
            database.commit()

    return change


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "something else": lambda path: path.write_bytes(b"this is no database" * 1000),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-4096]),
    "a payload": lambda path: path.write_bytes(path.read_bytes().replace(b"payload", b"pazload")),
    "an offset": change("UPDATE assets SET offset = 1 WHERE uri = 'x://a/1'"),
    "the references": change("UPDATE assets SET refs = '[]'"),
    "the watermark": change("UPDATE header SET value = '1' WHERE name = 'watermark'"),
    "no watermark": change("DELETE FROM header WHERE name = 'watermark'"),
    "the format": change("UPDATE header SET value = '2' WHERE name = 'format'"),
    "the checksum": change("UPDATE header SET value = 'x' WHERE name = 'crc'"),
    "no table": change("DROP TABLE assets"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_not_used_and_made_anew(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    log = make_log(5)
    assert load(path, log) == EMPTY
    with closing(StateStore(path, HEADER)) as store:
        store.load(log)
        store.save(ASSETS, messages(log)[2])
    assert sorted(load(path, log).assets) == sorted(ASSETS)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").mkdir()
    with pytest.raises(OSError, match=r"state\.sqlite"):
        load(tmp_path / "state.sqlite", make_log(1))


def test_one_stream_has_the_states_of_a_generation_and_others_are_swept(tmp_path: Path) -> None:
    for generation in ("old", "now", "busy"):
        state_file(tmp_path, generation, 0, 1).parent.mkdir(parents=True)
    assert not is_held(tmp_path, "now")
    with held(tmp_path, "now"), held(tmp_path, "busy"):
        assert is_held(tmp_path, "now")
        with pytest.raises(JobRunning, match="another stream"), held(tmp_path, "now"):
            pass
        discard(tmp_path, keep=["now"])
        assert sorted(folder.name for folder in (tmp_path / "state").iterdir()) == ["busy", "now"]
    assert not is_held(tmp_path, "now")
    discard(tmp_path)
    assert list((tmp_path / "state").iterdir()) == []
    discard(tmp_path / "nowhere")
