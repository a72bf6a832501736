"""Spans: of a request, of the append in it, and of what a stream does with its messages. Needs OpenTelemetry.

One trace is `POST /v1/messages` -> `append` -> `apply` -> `searchable`, wherever the last two happen.
"""

import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from assets.errors import AssetsError
from assets.log.port import Log
from assets.model import NEVER, TraceContext
from pipeline.stream.engine import Progress
from publog import VERSION

TRACED_OFFSETS_MAX: Final = 1_000
"""Offsets applied at a time of which traces are looked for: a stream that catches up has no time for them."""

EXPORT_SECONDS_MAX: Final = 2.0
"""How long spans are tried to be sent, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise: the end of a program waits for it."""

TRACES_OPEN_MAX: Final = 10_000
"""Messages whose way is followed at a time; of more, the oldest are given up."""

_propagator: Final = TraceContextTextMapPropagator()


def exported(service: str) -> TracerProvider:
    """A provider that sends spans where OpenTelemetry's environment variables say."""
    about = Resource({SERVICE_NAME: service, SERVICE_VERSION: VERSION}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=about)
    timeout = None if os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") else EXPORT_SECONDS_MAX
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
    return provider


class Tracing:
    """Makes the spans of one program."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("publog", VERSION)

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Generator[Span]:
        """The span of a request, in its sender's trace if it names one."""
        parent = _propagator.extract(headers)
        with self._tracer.start_as_current_span(method, parent, SpanKind.SERVER) as span:
            span.set_attribute("http.request.method", method)
            yield span

    @contextmanager
    def appending(self) -> Generator[tuple[Span, TraceContext | None]]:
        """The span of an append, and what its messages carry; None where this trace is not sampled."""
        with self._tracer.start_as_current_span("append", kind=SpanKind.PRODUCER) as span:
            carrier: dict[str, str] = {}
            if span.is_recording():
                _propagator.inject(carrier)
            yield span, TraceContext(**carrier) if carrier else None

    def begin(
        self, name: str, parent: Context, kind: SpanKind = SpanKind.INTERNAL, start_nanoseconds: int | None = None
    ) -> Span:
        return self._tracer.start_span(name, parent, kind, start_time=start_nanoseconds)


def answered(span: Span, method: str, route: str, status: int) -> None:
    """Say what became of a request."""
    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


class StreamTraces:
    """Follows the messages of a stream that carry a trace, by what the stream reports."""

    def __init__(self, tracing: Tracing, log: Log) -> None:
        """`log` is its own."""
        self._tracing = tracing
        self._log = log
        self._reported = time.time_ns()
        self._seen = NEVER
        self._waiting: dict[int, Span] = {}
        """By offset, rising."""

    def applied(self, first: int, last: int) -> None:
        """Messages from offset `first` to offset `last` were applied, since the last report."""
        first, self._seen = max(first, self._seen + 1), max(last, self._seen)
        if not first <= last < first + TRACED_OFFSETS_MAX:
            return
        # The stream goes on without: what is wrong with the log it will find out itself.
        with suppress(AssetsError):
            for offset, carried in sorted(self._log.traces(first, last).items()):
                parent = _propagator.extract(carried._asdict())
                if not get_current_span(parent).get_span_context().is_valid:
                    continue
                span = self._tracing.begin("apply", parent, SpanKind.CONSUMER, self._reported)
                span.set_attribute("publog.offset", offset)
                searchable = self._tracing.begin("searchable", set_span_in_context(span))
                span.end()
                self._waiting[offset] = searchable
        while len(self._waiting) > TRACES_OPEN_MAX:
            del self._waiting[next(iter(self._waiting))]

    def progressed(self, progress: Progress) -> None:
        """The stream is this far."""
        self._reported = time.time_ns()
        for offset in [offset for offset in self._waiting if offset <= progress.offset]:
            span = self._waiting.pop(offset)
            span.set_attribute("publog.generation", progress.generation)
            span.end()
