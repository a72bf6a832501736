"""Files of lines: every way in which one can be unreadable, and what its lines are known by."""

import gzip
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets import intake
from assets.errors import UnreadableFile
from assets.intake import Line, read_lines
from assets.limits import LINE_BYTES_MAX
from tests.support.newsroom import Shell, image, lines, write_catalog

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"".join(b"line %d\n" % number for number in range(1, 5_001))
GZ, ZST = gzip.compress(TEXT, mtime=0), zstd.compress(TEXT)
SUMMED_ZST = zstd.compress(TEXT, options={zstd.CompressionParameter.checksum_flag: 1})
"""With a checksum, as the command-line tool makes them."""

ENDED = "Compressed file ended before the end-of-stream marker was reached"


def read(name: str, content: bytes) -> list[tuple[int, bytes | None]]:
    Path(name).write_bytes(content)
    return [(line.number, line.text) for line in read_lines(name)]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------------------------ what is read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", TEXT),
        ("a", TEXT),
        ("a.jsonl.gz", GZ),
        ("a.jsonl.zst", ZST),
        ("two.gz", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
        ("two.zst", zstd.compress(TEXT[:100]) + zstd.compress(TEXT[100:])),
        ("padded.gz", GZ + b"\0" * 512),
        ("crlf.jsonl", TEXT.replace(b"\n", b"\r\n")),
        ("unended.jsonl", TEXT[:-1]),
    ],
)
def test_lines_are_the_same_however_the_file_is_packed(name: str, content: bytes) -> None:
    assert read(name, content) == [(number, b"line %d" % number) for number in range(1, 5_001)]


@pytest.mark.parametrize(
    ("name", "content"), [("a.jsonl", b""), ("a.gz", gzip.compress(b"")), ("a.zst", zstd.compress(b""))]
)
def test_an_empty_file_has_no_lines(name: str, content: bytes) -> None:
    assert read(name, content) == []


def test_empty_lines_are_counted_and_left_out() -> None:
    assert read("a.jsonl", b"\n\none\n  \n\t\r\ntwo\n\n") == [(3, b"one"), (6, b"two")]


def test_a_line_of_the_longest_length_is_read_whatever_ends_it() -> None:
    longest = b"x" * LINE_BYTES_MAX
    assert read("a.jsonl", longest) == [(1, longest)]
    assert read("a.jsonl", longest + b"\nnext") == [(1, longest), (2, b"next")]
    assert read("a.jsonl", longest + b"\r\nnext") == [(1, longest), (2, b"next")]


@pytest.mark.parametrize("more", [1, 2, 3, LINE_BYTES_MAX, 2 * LINE_BYTES_MAX])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_longer_line_is_passed_over_and_the_next_is_read(more: int, end: bytes) -> None:
    assert read("a.jsonl", b"x" * (LINE_BYTES_MAX + more) + end + b"next") == [(1, None), (2, b"next")]
    assert read("a.jsonl", b"x" * (LINE_BYTES_MAX + more)) == [(1, None)]


@given(st.binary(max_size=60).map(lambda content: content.replace(b"x", b"\n")))
def test_lines_are_those_of_the_file_whatever_the_longest_length(content: bytes) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(intake, "LINE_BYTES_MAX", 5)
        found = read("a.jsonl", content)
    expected = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip() or len(line) > 5]
    for (number, text), (wanted, line) in zip(found, expected, strict=True):
        assert number == wanted
        # How much of what surrounds a line belongs to it, is nobody's business but that of the longest ones.
        assert text == line.strip() if len(line) <= 5 else text in (None, line.strip())
        assert text is not None or len(line.rstrip(b"\r")) > 5


# ------------------------------------------------------------------------------------------------- what can't be read

UNREADABLE = [
    # name, content (None: there is none), what is said about it
    ("missing.jsonl", None, "there is no such file"),
    ("cut.gz", GZ[:-1], f"can't be read: {ENDED}"),
    ("cut.zst", ZST[:-1], f"can't be read: {ENDED}"),
    ("start.gz", GZ[:5], f"can't be read: {ENDED}"),
    ("start.zst", ZST[:5], f"can't be read: {ENDED}"),
    ("empty.zst", b"", f"can't be read: {ENDED}"),
    ("plain.gz", TEXT, "can't be read: Not a gzipped file (b'li')"),
    ("plain.zst", TEXT, "can't be read: Unable to decompress Zstandard data: Unknown frame descriptor"),
    ("other.gz", ZST, "can't be read: Not a gzipped file (b'(\\xb5')"),
    ("more.gz", GZ + b"more", "can't be read: Not a gzipped file (b'mo')"),
    ("changed.gz", GZ[:-8] + b"\0" * 4 + GZ[-4:], None),
    ("broken.gz", GZ[:40] + b"\xff" * 20 + GZ[60:], None),
    ("broken.zst", SUMMED_ZST[:40] + b"\xff" * 20 + SUMMED_ZST[60:], None),
]


@pytest.mark.parametrize(("name", "content", "said"), UNREADABLE, ids=[name for name, _, _ in UNREADABLE])
def test_an_unreadable_file_is_named_with_what_is_wrong(name: str, content: bytes | None, said: str | None) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(UnreadableFile) as raised:
        list(read_lines(name))
    if said is None:
        assert str(raised.value).startswith(f"{name}: can't be read")
    else:
        assert str(raised.value) == f"{name}: {said}"


def test_a_folder_is_not_read() -> None:
    Path("here").mkdir()
    with pytest.raises(UnreadableFile, match=r"^here: can't be read: \[Errno 21\] Is a directory: 'here'$"):
        list(read_lines("here"))


def test_what_stands_well_before_the_fault_is_read() -> None:
    Path("cut.gz").write_bytes(gzip.compress(TEXT * 60, compresslevel=1)[:-1])
    found: list[Line] = []
    with pytest.raises(UnreadableFile) as raised:
        found.extend(read_lines("cut.gz"))
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    assert len(found) > 100_000
    again = "publish it again once it is whole"
    assert str(raised.value) == f"cut.gz: can't be read beyond line {len(found):,}; {again}: {ENDED}"


def test_what_a_person_sees_of_an_unreadable_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path, capsys, monkeypatch)
    catalog = write_catalog(tmp_path / "catalog")
    Path("folder").mkdir()
    messages = lines(image(number) for number in range(20_000))
    Path("cut.gz").write_bytes(gzip.compress(messages)[:-5])
    assert shell("publish", "missing.jsonl", code=2).err == "error: missing.jsonl: there is no such file\n"
    assert shell("publish", "folder", code=2).err == "error: folder: is a folder; name the files in it\n"
    assert not shell.home.exists()
    ran = shell("publish", "cut.gz", "--catalog", catalog, code=1)
    assert re.fullmatch(
        rf"error: cut\.gz: can't be read beyond line 1[67],\d+; publish it again .*: {ENDED}\n", ran.err
    )
    # Of what came before, whole batches are in the log, and the whole file goes on from there.
    assert ran.out == "16384 appended, 0 already there, 0 held, 0 refused\n"
    Path("cut.gz").write_bytes(gzip.compress(messages))
    assert shell("publish", "cut.gz").out == "3616 appended, 16384 already there, 0 held, 0 refused\n"


# ------------------------------------------------------------------------------------------------------ other sources


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    assert [line.text for line in read_lines("-")] == [b"one", b"two"]


def test_a_pipe_with_a_name_is_read() -> None:
    os.mkfifo("pipe")
    writer = Thread(target=lambda: Path("pipe").write_bytes(TEXT))
    writer.start()
    assert len(list(read_lines("pipe"))) == 5_000
    writer.join()


# --------------------------------------------------------------------------------------------------------------- ids


def ids(content: bytes) -> list[str]:
    Path("ids.jsonl").write_bytes(content)
    return [line.id for line in read_lines("ids.jsonl")]


def test_the_same_file_has_the_same_ids_however_it_is_packed() -> None:
    Path("a.gz").write_bytes(GZ)
    assert [line.id for line in read_lines("a.gz")] == ids(TEXT) == ids(TEXT.replace(b"\n", b" \r\n"))
    assert len(set(ids(TEXT))) == 5_000


def test_a_file_that_grew_keeps_its_ids() -> None:
    assert ids(TEXT + b"more\n")[:-1] == ids(TEXT)


def test_the_same_line_twice_has_two_ids() -> None:
    assert len(set(ids(b"one\none\none\n"))) == 3


def test_the_same_line_in_another_file_has_another_id() -> None:
    assert ids(b"zero\none\n")[1] != ids(b"one\n")[0]
    assert ids(b"zero\none\n")[1] != ids(b"other\none\n")[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"line 7\n", b"line seven\n", 1),
        lambda text: text.replace(b"line 7\n", b"", 1),
        lambda text: text.replace(b"line 7\n", b"line\n7\n", 1),
        lambda text: b"x" * (LINE_BYTES_MAX + 9) + b"\n" + text,
    ],
    ids=["changed", "taken out", "cut in two", "a long one before"],
)
def test_behind_a_change_all_ids_are_new(change: Callable[[bytes], bytes]) -> None:
    before, after = ids(TEXT), ids(change(TEXT))
    same = [id_ for id_ in after if id_ in set(before)]
    assert same in (before[:6], [])


def test_ids_rise_with_the_lines() -> None:
    found = ids(TEXT)
    assert found == sorted(found)
