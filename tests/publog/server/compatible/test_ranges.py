"""Ranges in a search of our own, on the newsroom that has numbers and times."""

from typing import Any

import httpx2
import pytest

from tests.support.courier import Courier


def found(courier: Courier, *ranges: str) -> set[str]:
    parameters: Any = [("view", "story"), ("limit", "200"), *(("range", one) for one in ranges)]
    answer = httpx2.get(f"{courier.url}/v1/search", params=parameters)
    assert answer.status_code == 200, answer.text
    return {hit["uri"] for hit in answer.json()["hits"]}


@pytest.mark.parametrize(("first", "last"), [(80, 120), (None, 100), (100, None), (120, 80), (100, 100)])
def test_numbers_lie_between(first: int | None, last: int | None, courier: Courier) -> None:
    text = f"word_count:{'' if first is None else first}..{'' if last is None else last}"
    assert found(courier, text) == {
        uri
        for uri, data in courier.articles.items()
        if (first is None or data["word_count"] >= first) and (last is None or data["word_count"] <= last)
    }


def test_times_lie_between_days_and_ranges_hold_together(courier: Courier) -> None:
    assert found(courier, "published_at:2026-03..2026-05-10", "word_count:100..") == {
        uri
        for uri, data in courier.articles.items()
        if "2026-03" <= data["published_at"][:10] <= "2026-05-10" and data["word_count"] >= 100
    }


@pytest.mark.parametrize(
    "text",
    ["word_count", "word_count:5", "word_count:..", "word_count:a..b", "published_at:x..", "section:1..2", "none:1..2"],
)
def test_what_is_no_range_is_refused(text: str, courier: Courier) -> None:
    answer = httpx2.get(f"{courier.url}/v1/search", params={"range": text})
    assert answer.status_code == 422
    assert answer.json()["type"] in ("urn:publog:problem:invalid-parameter", "urn:publog:problem:invalid-query")
