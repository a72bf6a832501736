"""Calls of the server: tried again where that may help, and their failures as errors of this package."""

import os
import random
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple, cast

import orjson
from elasticsearch import ApiError, Elasticsearch, TransportError

from indexers.errors import EngineFailed, InvalidRecord, NoGeneration, UnusableIndex
from indexers.limits import (
    CALL_ATTEMPTS_MAX,
    CALL_PAUSE_SECONDS,
    CALL_PAUSE_SECONDS_MAX,
    CALL_SECONDS_MAX,
)

API_KEY: Final = "PUBLOG_ELASTICSEARCH_API_KEY"
"""In the environment, so that it stands in no URL, log or process list."""
CERTIFICATES: Final = "PUBLOG_ELASTICSEARCH_CA"
"""In the environment: a file of the certificate authorities to believe, where the system's are not enough."""

_BUSY: Final = {429, 502, 503, 504}
_JSON: Final = {"accept": "application/json", "content-type": "application/json"}
_LINES: Final = {"accept": "application/json", "content-type": "application/x-ndjson"}


class Action(NamedTuple):
    """One document to write or delete."""

    id: str
    lines: bytes
    """As bulk requests have them, with their ends."""


class Missing(Exception):
    """The server has nothing of this name."""


class Refused(Exception):
    """The server takes a request as wrong, or as too late. `status` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Calls:
    """One server. Threads may share it; what is closed opens again when it is used."""

    def __init__(self, server: str, url: str) -> None:
        """`url` is the index's, to speak of it."""
        self._server = server
        self._url = url
        self._opening = Lock()
        self._client: Elasticsearch | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer to one request.

        Raises:
            Missing: 404.
            Refused: the server will not do this.
            EngineFailed: the server can't be reached, or is too busy for long.
        """
        sent = orjson.dumps(body) if isinstance(body, Mapping) else body
        headers = _LINES if isinstance(body, bytes) else _JSON
        reason, asked_for = "", 0.0
        for attempt in range(CALL_ATTEMPTS_MAX):
            if attempt:
                time.sleep(max(_pause(attempt), asked_for))
            try:
                response = self._open().perform_request(
                    method, path, params=params, headers=headers if sent is not None else _accepting(), body=sent
                )
            except ApiError as error:
                status = error.meta.status
                if status == 404:
                    raise Missing(path) from None
                if status not in _BUSY:
                    raise Refused(status, _reason(error.body)) from None
                reason = f"it answers {status}: {_reason(error.body)}"
                asked_for = _asked_for(error.meta.headers.get("retry-after"))
            except TransportError as error:
                reason, asked_for = str(error), 0.0
            else:
                return response.body
        raise EngineFailed(self._url, reason)

    def bulk(self, index: str, actions: Sequence[Action], *, refresh: bool) -> dict[str, int]:
        """Write documents in one request; gives the status of those that are not there as they were sent: 409 where
        the same or a higher version is, 404 where there was nothing to delete.

        Busy items are sent again, alone; a request that is too large is halved.

        Raises:
            NoGeneration: the index is gone.
            InvalidRecord: the server can't index a document.
            EngineFailed: the server can't be reached, or is too busy for long.
        """
        left = list(actions)
        odd: dict[str, int] = {}
        params = {"require_alias": "true", "refresh": "true" if refresh else "false"}
        for attempt in range(CALL_ATTEMPTS_MAX):
            if attempt:
                time.sleep(_pause(attempt))
            try:
                answer = self.ask("POST", f"/{index}/_bulk", b"".join(one.lines for one in left), params)
            except Refused as refused:
                if refused.status != 413 or len(left) < 2:
                    raise EngineFailed(self._url, str(refused)) from None
                middle = len(left) // 2
                odd |= self.bulk(index, left[:middle], refresh=False)
                return odd | self.bulk(index, left[middle:], refresh=refresh)
            except Missing:
                raise NoGeneration(self._url, index) from None
            busy: list[Action] = []
            for action, item in zip(left, answer["items"], strict=True):
                (result,) = item.values()
                status, error = result["status"], result.get("error")
                if status in _BUSY:
                    busy.append(action)
                elif status in {404, 409} and (error is None or status == 409):
                    odd[action.id] = status
                elif status == 404:
                    raise NoGeneration(self._url, index)
                elif status == 400:
                    raise InvalidRecord(action.id, f"Elasticsearch can't index it ({_cause(error)})")
                elif status >= 300:
                    raise EngineFailed(self._url, _cause(error))
            if not busy:
                return odd
            left = busy
        raise EngineFailed(self._url, f"it was too busy for {len(left)} documents")

    def close(self) -> None:
        """Release the connections."""
        with self._opening:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _open(self) -> Elasticsearch:
        with self._opening:
            if self._client is None:
                options: dict[str, Any] = {}
                if os.environ.get(API_KEY):
                    options["api_key"] = os.environ[API_KEY]
                if os.environ.get(CERTIFICATES):
                    options["ca_certs"] = os.environ[CERTIFICATES]
                try:
                    # It would try again at once and without end of patience: `ask` does it with pauses.
                    self._client = Elasticsearch(
                        self._server, request_timeout=CALL_SECONDS_MAX, max_retries=0, retry_on_timeout=False, **options
                    )
                except ValueError as error:
                    raise UnusableIndex(self._url, str(error), "Write http://HOST:PORT/NAME") from None
            return self._client


def _accepting() -> dict[str, str]:
    return {"accept": "application/json"}


def _pause(attempt: int) -> float:
    """Longer each time, and never the same for two who failed together."""
    return min(CALL_PAUSE_SECONDS * 2**attempt, CALL_PAUSE_SECONDS_MAX) * random.uniform(0.5, 1)  # noqa: S311


def _asked_for(retry_after: str | None) -> float:
    """The seconds that a busy server asks to be left alone; a date is not looked at."""
    return min(float(retry_after), CALL_PAUSE_SECONDS_MAX) if retry_after and retry_after.isdecimal() else 0.0


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
