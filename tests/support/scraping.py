"""Reading metrics as Prometheus does."""

import re
import subprocess
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.newsroom import Json, process


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Value by name and labels."""
    return {(one.name, frozenset(one.labels.items())): one.value for one in all_samples(text)}


def all_samples(text: str) -> Iterable[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def value(text: str, name: str, **labels: str) -> float:
    """One sample's value; a KeyError where there is none."""
    return samples(text)[name, frozenset(labels.items())]


def scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


class Exporting:
    """A command that shows its metrics on a free port, at work."""

    def __init__(self, *arguments: Json, folder: Path) -> None:
        self.process: subprocess.Popen[str] = process(*arguments, "--metrics", 0, folder=folder)
        assert self.process.stderr is not None
        said = self.process.stderr.readline()
        found = re.fullmatch(r"metrics on (http://127\.0\.0\.1:\d+/metrics)\n", said)
        assert found, (said, self.process.communicate())
        self.url = found[1]

    def read(self) -> str:
        return scrape(self.url)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
