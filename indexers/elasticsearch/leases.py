"""A lease in a document: its holder renews it, and whoever wants it looks whether somebody does.

Nobody's clock is compared with another's: a lease is over when its document has not changed for a while that the one who
waits for it has measured. Each change names the one before it, so that of two at a time one is refused.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, Final, NamedTuple
from uuid import uuid4

from indexers.elasticsearch.calls import Calls, Missing, Refused
from indexers.errors import EngineFailed, LeaseHeld
from indexers.leases import check_token, next_lease
from indexers.limits import LEASE_RENEWAL_SECONDS, LEASE_SILENCE_SECONDS
from indexers.port import Lease

_MAPPINGS: Final = {
    "dynamic": "strict",
    "properties": {
        "token": {"type": "long"},
        "holder": {"type": "keyword", "index": False, "doc_values": False},
        "since": {"type": "long"},
        "held": {"type": "boolean"},
        "renewed": {"type": "long"},
        "by": {"type": "keyword", "index": False, "doc_values": False},
    },
}


class _State(NamedTuple):
    lease: Lease
    held: bool
    place: dict[str, str]
    """What a change must name that is made of this state."""
    put: dict[str, Any]
    """As it was put there."""


class ServerLease:
    """The lease that is kept in one index of the server's."""

    def __init__(self, calls: Calls, index: str, url: str) -> None:
        self._calls = calls
        self._index = index
        self._url = url
        self._by = uuid4().hex

    @contextmanager
    def held(self, holder: str) -> Generator[Lease]:
        """Take the lease until the block ends.

        Raises:
            LeaseHeld: another one has it.
            EngineFailed: the server can't be reached.
        """
        lease, place = self._grant(holder)
        ended = Event()
        thread = Thread(target=self._renew, args=(lease, place, ended), daemon=True)
        thread.start()
        try:
            yield lease
        finally:
            ended.set()
            thread.join()

    def check(self, token: int) -> None:
        """See that a lease is the latest granted.

        Raises:
            LeaseLost: another one was granted since, or this one never.
        """
        state = self._state()
        check_token(self._url, None if state is None else state.lease, token)

    def _grant(self, holder: str) -> tuple[Lease, dict[str, str]]:
        with suppress(Refused):  # It is there already.
            settings = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}
            self._calls.ask("PUT", f"/{self._index}", {"settings": settings, "mappings": _MAPPINGS})
        end = time.monotonic() + LEASE_SILENCE_SECONDS
        before = self._state()
        while True:
            state = self._state()
            if state is not None and state.held and time.monotonic() < end:
                if before is None or state.place != before.place:
                    raise LeaseHeld(self._url, state.lease.holder, state.lease.since)
                time.sleep(LEASE_RENEWAL_SECONDS / 5)
                continue
            lease = next_lease(None if state is None else state.lease, holder)
            with suppress(Refused):
                return lease, self._put(lease, state.place if state else {"op_type": "create"}, held=True)
            # Somebody else was granted it first.
            before, end = None, time.monotonic() + LEASE_SILENCE_SECONDS

    def _renew(self, lease: Lease, place: dict[str, str], ended: Event) -> None:
        """Say that the holder is alive until it ends, then that it has."""
        renewed = 0
        while True:
            is_over = ended.wait(LEASE_RENEWAL_SECONDS)
            renewed += 1
            try:
                place = self._put(lease, place, held=not is_over, renewed=renewed)
            except Refused:
                # It was thought dead, and another one has it: `switch` sees that by the token.
                return
            except EngineFailed:
                pass
            if is_over:
                return

    def _put(self, lease: Lease, place: dict[str, str], *, held: bool, renewed: int = 0) -> dict[str, str]:
        body = {**lease._asdict(), "held": held, "renewed": renewed, "by": self._by}
        try:
            return _place(self._calls.ask("PUT", f"/{self._index}/_doc/lease", body, place))
        except Refused:
            # An answer may have been lost, and what is in the way is what was put there the first time.
            state = self._state()
            if state is None or state.put != body:
                raise
            return state.place

    def _state(self) -> _State | None:
        try:
            answer = self._calls.ask("GET", f"/{self._index}/_doc/lease")
        except Missing:
            return None
        kept: dict[str, Any] = answer["_source"]
        return _State(Lease(kept["token"], kept["holder"], kept["since"]), kept["held"], _place(answer), kept)


def _place(answer: Any) -> dict[str, str]:
    return {"if_seq_no": str(answer["_seq_no"]), "if_primary_term": str(answer["_primary_term"])}
