"""What options mean that several commands share."""

import pytest
import typer

from publog.options import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GiB", 1 << 30),
        ("1.5 GiB", 3 << 29),
        ("500MB", 500_000_000),
        ("64KiB", 65_536),
        ("2kB", 2_000),
        ("1TiB", 1 << 40),
    ],
)
def test_a_size_has_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "1", "GiB", "-1GiB", "1Gib", "1 000MB", "1e3MB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no size"):
        parse_size(text)
