"""The order of changes where nothing but the id tells documents apart."""

import pytest

from denormalizer.view import View
from indexers import open_index
from indexers.port import Place
from tests.contract.index_newsroom import CATALOG, story


def test_documents_with_one_tie_are_each_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("indexers.engine.writing", "indexers.engine.changing"):
        monkeypatch.setattr(f"{module}.tie", lambda id_: len(id_) % 2)
    views = [story(number, version=number // 40) for number in range(120)]
    index = open_index("memory:")
    index.load([], catalog=CATALOG, applied_through=0)
    index.write(views, applied_through=5)
    told: list[View] = []
    place = Place(0)
    while place.version < 6:
        page = index.changes(place, limit=7, bytes_max=1_000_000)
        told += page.views
        place = page.place
    assert sorted(told) == sorted(views)
