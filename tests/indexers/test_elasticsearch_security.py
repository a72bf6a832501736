"""Who is let in, and whom we believe: API keys and TLS, by a proxy in front of a real Elasticsearch."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexers import open_index
from indexers.errors import UnusableIndex
from tests.contract.index_newsroom import CATALOG, story, write_part
from tests.servers.elasticsearch import drop
from tests.support.faulty_proxy import Answer, Asked, Proxy, faulty_proxy, passed, refused
from tests.support.newsroom import run_process

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "javac", "mvn", "flock", "openssl")]

KEY = "cHVibG9nOnNlY3JldA=="


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=publog tests", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", str(tmp_path / "certificate.pem"), "-keyout", str(tmp_path / "key.pem")]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return tmp_path / "certificate.pem"


@pytest.fixture
def guarded(elasticsearch: str, certificate: Path) -> Iterator[Proxy]:
    """Takes TLS only, and asks for the key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    def guard(asked: Asked) -> Answer | bytes | None:
        match asked.headers.get("authorization"):
            case None:
                return refused(401)
            case found if found == f"ApiKey {KEY}":
                return passed(asked)
            case _:
                return refused(403)

    with faulty_proxy(elasticsearch, context) as proxy:
        proxy.fault = guard
        yield proxy
    drop(elasticsearch, "guarded")


def test_with_the_key_and_the_authority_it_is_used_as_any(
    guarded: Proxy, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLOG_ELASTICSEARCH_API_KEY", KEY)
    monkeypatch.setenv("PUBLOG_ELASTICSEARCH_CA", str(certificate))
    with closing(open_index(f"{guarded.url}/guarded")) as index:
        index.load([write_part(tmp_path / "part", [story(1)])], catalog=CATALOG, applied_through=1)
        index.write([story(2, version=2)], applied_through=2)
        assert sorted(index.scan()) == [story(1), story(2, version=2)]


@pytest.mark.parametrize(
    ("key", "reason"), [(None, "does not know who asks.*401"), ("wrong", "does not allow this.*403")]
)
def test_without_the_right_key_it_is_said_what_to_set(
    key: str | None, reason: str, guarded: Proxy, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLOG_ELASTICSEARCH_CA", str(certificate))
    if key is not None:
        monkeypatch.setenv("PUBLOG_ELASTICSEARCH_API_KEY", key)
    with (
        closing(open_index(f"{guarded.url}/guarded")) as index,
        pytest.raises(UnusableIndex, match=f"{reason}.*Set PUBLOG_ELASTICSEARCH_API_KEY"),
    ):
        index.info()
    assert len(guarded.asked) == 1, "once is enough"


def test_a_certificate_that_nobody_vouches_for_is_not_believed(guarded: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLOG_ELASTICSEARCH_API_KEY", KEY)
    with (
        closing(open_index(f"{guarded.url}/guarded")) as index,
        pytest.raises(UnusableIndex, match=r"certificate is not trusted.*Set PUBLOG_ELASTICSEARCH_CA"),
    ):
        index.info()
    assert guarded.asked == [], "the key was not told to a stranger"


def test_a_file_of_authorities_that_is_none_is_named(
    guarded: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (None, "no certificate"):
        path = tmp_path / "authorities.pem"
        if content is not None:
            path.write_text(content)
        monkeypatch.setenv("PUBLOG_ELASTICSEARCH_CA", str(path))
        with (
            closing(open_index(f"{guarded.url}/guarded")) as index,
            pytest.raises(UnusableIndex, match=r"authorities\.pem.*PUBLOG_ELASTICSEARCH_CA"),
        ):
            index.info()


def test_a_person_is_told_in_one_line(guarded: Proxy, certificate: Path, tmp_path: Path) -> None:
    ran = run_process(
        "--home", tmp_path / "home", "search", "fox", "--index", f"{guarded.url}/guarded", folder=tmp_path
    )
    assert ran.code == 2
    assert "certificate is not trusted" in ran.err
    assert "Traceback" not in ran.err
