"""What a server traces; where nobody asked for traces it is nothing, and costs nothing."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from assets.imports import Batch
from assets.model import TraceContext

if TYPE_CHECKING:
    from publog.telemetry.spans import Tracing

Answered = Callable[[str, int], None]
"""Takes the route and the status."""

Appended = Callable[[Sequence[Batch]], None]


@contextmanager
def request(tracing: "Tracing | None", method: str, headers: Mapping[bytes, str]) -> Generator[Answered]:
    """Around a request."""
    if tracing is None:
        yield _nothing
        return
    from publog.telemetry.spans import answered

    carried = {name.decode("latin-1"): headers[name] for name in (b"traceparent", b"tracestate") if name in headers}
    with tracing.request(method, carried) as span:
        yield lambda route, status: answered(span, method, route, status)


@contextmanager
def _append(tracing: "Tracing") -> Generator[tuple[TraceContext | None, Appended]]:
    with tracing.appending() as (span, trace):

        def appended(batches: Sequence[Batch]) -> None:
            receipts = [receipt for batch in batches for receipt in batch.new]
            span.set_attribute("messaging.batch.message_count", len(receipts))
            if receipts:
                span.set_attribute("publog.offset", receipts[-1].offset)
            if len(receipts) == 1:
                span.set_attribute("publog.uri", receipts[0].uri)

        yield trace, appended


@contextmanager
def _untraced() -> Generator[tuple[TraceContext | None, Appended]]:
    yield None, _nothing


def appending(tracing: "Tracing | None") -> AbstractContextManager[tuple[TraceContext | None, Appended]]:
    """Around an append: the trace that its messages are to carry, and what to tell of it when it is done."""
    return _untraced() if tracing is None else _append(tracing)


def _nothing(*_: object) -> None:
    pass
