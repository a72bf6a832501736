"""Calls of the server: tried again where that may help, and their failures as errors of this package."""

import itertools
import logging
import os
import random
import ssl
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Final, NamedTuple, cast

import orjson
from elasticsearch import ApiError, ConnectionTimeout, Elasticsearch, TransportError

from indexers.counts import bulk_retried
from indexers.errors import EngineFailed, NoGeneration, TerminalError, UnusableIndex
from indexers.limits import (
    BULK_BYTES,
    BULK_PAUSE_SECONDS,
    CALL_PAUSE_SECONDS,
    CALL_SECONDS_MAX,
    PAUSE_SECONDS_MAX,
    REQUESTS_MAX,
)

API_KEY: Final = "PUBLOG_ELASTICSEARCH_API_KEY"
"""In the environment, so that it stands in no URL, log or process list."""
CERTIFICATES: Final = "PUBLOG_ELASTICSEARCH_CA"
"""In the environment: a file of the certificate authorities to believe, where the system's are not enough."""

_BUSY: Final = {429, 502, 503, 504}
_ACCEPTED: Final = {"accept": "application/json"}
_JSON: Final = {"accept": "application/json", "content-type": "application/json"}
_LINES: Final = {"accept": "application/json", "content-type": "application/x-ndjson"}


# What fails is told by errors, and not to whoever's terminal this is.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)


_TOLD: Final = {"require_alias": "true", "filter_path": "items.*.status,items.*.error"}
"""Of an answer to documents no more than is looked at: the rest is work for both."""


class Action(NamedTuple):
    """One document to write or delete."""

    id: str
    lines: bytes
    """As bulk requests have them, with their ends."""
    version: int = 0


class Outcome(NamedTuple):
    """What became of documents that are not there as they were sent."""

    odd: dict[str, int]
    """409 by id where the same or a higher version is, 404 where there was nothing to delete."""
    unfit: list[tuple[Action, str]]
    """Those that the server can't index, and why."""


class Missing(Exception):
    """The server has nothing of this name."""


class Refused(TerminalError):
    """The server takes a request as wrong, or as too late. `status` is HTTP's."""

    def __init__(self, url: str, status: int, reason: str) -> None:
        super().__init__(f"The server of {url} refuses a request ({status}: {reason}).")
        self.status = status
        self.reason = reason


class _Again(Exception):
    """The server is busy or away; `seconds` is how long it wants to be left alone. `code` is the reason in a word."""

    def __init__(self, code: str, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.seconds = seconds


class Budget:
    """How many requests may be sent for those that are needed. Threads may share it: what one has no use for, another has."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._left = 0
        self._lock = Lock()

    def need(self) -> None:
        """One more request is needed, and sent."""
        with self._lock:
            self._left += REQUESTS_MAX - 1

    def split(self) -> None:
        """What was one request is two, which are both sent."""
        with self._lock:
            self._left += REQUESTS_MAX - 2

    def pause(self, again: _Again, failures: int, seconds: float) -> None:
        """Leave the server alone before one more is sent, longer each time; who failed together does not come back together.

        Raises:
            EngineFailed: enough was sent.
        """
        with self._lock:
            if self._left <= 0:
                raise EngineFailed(self._url, again.reason) from None
            self._left -= 1
        longest = min(seconds * 2**failures, PAUSE_SECONDS_MAX)
        # What the server asks for comes first, and then chance.
        time.sleep(again.seconds + random.uniform(0, longest))  # noqa: S311 - no secret


class Calls:
    """One server. Threads may share it; what is closed opens again when it is used."""

    def __init__(self, server: str, url: str) -> None:
        """`url` is the index's, to speak of it."""
        self._server = server
        self._url = url
        self._opening = Lock()
        self._client: Elasticsearch | None = None
        self.bulk_bytes = BULK_BYTES
        """Of a request with documents: fewer from the first on that was too large."""

    def budget(self) -> Budget:
        """For requests that share one."""
        return Budget(self._url)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer to one request.

        Raises:
            Missing: 404.
            Refused: the server will not do this.
            UnusableIndex: it does not know us, or we don't believe it.
            EngineFailed: the server can't be reached, or is too busy for long.
        """
        budget = Budget(self._url)
        budget.need()
        sent = None if body is None else orjson.dumps(body)
        for failures in itertools.count():
            try:
                return self._send(method, path, sent, params, _JSON if sent else _ACCEPTED)
            except _Again as again:
                budget.pause(again, failures, CALL_PAUSE_SECONDS)
        raise AssertionError

    def bulk(
        self, index: str, actions: Sequence[Action], *, refresh: bool = False, budget: Budget | None = None
    ) -> Outcome:
        """Write documents in one request. What the server was too busy for is sent again, alone; a request that is too large is
        halved.

        Raises:
            NoGeneration: the index is gone.
            EngineFailed: the server can't be reached, or is too busy for long; any of the documents may be written.
        """
        outcome = Outcome({}, [])
        budget = budget or Budget(self._url)
        budget.need()
        failures = 0
        waiting = [list(actions)]
        while waiting:
            left = waiting.pop()
            is_last = not waiting
            params = {**_TOLD, "refresh": "true" if refresh and is_last else "false"}
            try:
                answer = self._send("POST", f"/{index}/_bulk", b"".join(one.lines for one in left), params, _LINES)
                busy = self._sort(left, answer, index, outcome)
                if busy:
                    left = busy
                    raise _Again("items", f"it was too busy for {len(busy)} documents")
            except _Again as again:
                waiting.append(left)
                budget.pause(again, failures, BULK_PAUSE_SECONDS)
                bulk_retried(again.code)
                failures += 1
            except Refused as refused:
                if refused.status != 413:
                    raise
                if len(left) == 1:
                    outcome.unfit.append((left[0], "it is larger than a request to Elasticsearch may be"))
                    continue
                self.bulk_bytes = min(self.bulk_bytes, sum(len(one.lines) for one in left) // 2)
                middle = len(left) // 2
                waiting += [left[middle:], left[:middle]]
                budget.split()
            except Missing:
                raise NoGeneration(self._url, index) from None
        return outcome

    def _sort(self, sent: Sequence[Action], answer: Any, index: str, outcome: Outcome) -> list[Action]:
        """Note what became of each document; gives those that the server was too busy for."""
        busy: list[Action] = []
        for action, item in zip(sent, answer["items"], strict=True):
            (result,) = item.values()
            status, error = result["status"], result.get("error")
            if status in _BUSY:
                busy.append(action)
            elif status == 409 or (status == 404 and error is None):
                outcome.odd[action.id] = status
            elif status == 404:
                raise NoGeneration(self._url, index)
            elif status == 400:
                outcome.unfit.append((action, _cause(error)))
            elif status >= 300:
                raise EngineFailed(self._url, _cause(error))
        return busy

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Any:
        """Send one request, once."""
        try:
            return self._open().perform_request(method, path, params=params, headers=headers, body=body).body
        except ApiError as error:
            status, reason = error.meta.status, _reason(error.body)
            if status in _BUSY:
                raise _Again(str(status), f"it answers {status}: {reason}", _asked_for(error.meta.headers)) from None
            if status == 404:
                raise Missing(path) from None
            if status in {401, 403}:
                what = "the server does not know who asks" if status == 401 else "the server does not allow this"
                raise UnusableIndex(
                    self._url, f"{what} ({status}: {reason})", f"Set {API_KEY} to a key that may"
                ) from None
            if error.message == "media_type_header_exception":
                remedy = 'Take the client of its major version: pip install "elasticsearch<9" for 8.x'
                raise UnusableIndex(self._url, f"the server and its client don't fit ({reason})", remedy) from None
            raise Refused(self._url, status, reason) from None
        except TransportError as error:
            if _is_untrusted(error):
                remedy = f"Set {CERTIFICATES} to the file of the authority that signed it"
                raise UnusableIndex(
                    self._url, f"the server's certificate is not trusted ({error.message})", remedy
                ) from None
            raise _Again("timeout" if isinstance(error, ConnectionTimeout) else "connection", str(error)) from None

    def close(self) -> None:
        """Release the connections."""
        with self._opening:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _authorities(self, path: str) -> str:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            # What is no certificate is an error of this kind too.
            reason = f"{path} can't be used as certificate authorities ({error.strerror or error})"
            raise UnusableIndex(self._url, reason, f"Set {CERTIFICATES} to a file of certificates, as PEM") from None
        return path

    def _open(self) -> Elasticsearch:
        with self._opening:
            if self._client is None:
                options: dict[str, Any] = {}
                if os.environ.get(API_KEY):
                    options["api_key"] = os.environ[API_KEY]
                if os.environ.get(CERTIFICATES):
                    options["ca_certs"] = self._authorities(os.environ[CERTIFICATES])
                try:
                    # It would try again at once: here it is done with pauses, and counted.
                    self._client = Elasticsearch(
                        self._server, request_timeout=CALL_SECONDS_MAX, max_retries=0, retry_on_timeout=False, **options
                    )
                except ValueError as error:
                    raise UnusableIndex(self._url, str(error), "Write http://HOST:PORT/NAME") from None
            return self._client


def _asked_for(headers: Mapping[str, str]) -> float:
    """The seconds that a busy server asks to be left alone: it says how many, or until when."""
    told = headers.get("retry-after", "")
    try:
        seconds = float(told) if told.isdecimal() else parsedate_to_datetime(told).timestamp() - time.time()
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), PAUSE_SECONDS_MAX)


def _is_untrusted(error: TransportError) -> bool:
    """Whether the certificate was the reason, which stands somewhere inside."""
    causes: list[Any] = [error]
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        if isinstance(cause, BaseException):
            inner = [*getattr(cause, "errors", ()), *cause.args, cause.__cause__, cause.__context__]
            causes += [
                one for one in inner if isinstance(one, BaseException) and not any(one is known for known in causes)
            ]
    return False


def _reason(body: Any) -> str:
    if isinstance(body, dict):
        return _cause(cast("dict[str, Any]", body).get("error"))
    return str(body)[:500]


def _cause(error: Any) -> str:
    if isinstance(error, dict):
        told = cast("dict[str, Any]", error)
        causes = cast("list[dict[str, Any]]", told.get("root_cause") or [told])
        inner = cast("dict[str, Any]", told.get("caused_by") or {})
        return "; ".join(filter(None, [str(causes[0].get("reason", told)), str(inner.get("reason", ""))]))[:1_000]
    return str(error)[:500]
