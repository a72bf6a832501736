"""Traces from a request to searchable, where OpenTelemetry's own environment variables ask for them; else nothing at all.

The trace of a request is carried by the messages it publishes, in the log; whoever applies them goes on with it.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from publog.settings import UsedWrongly

if TYPE_CHECKING:
    from publog.telemetry.spans import Tracing

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment says where traces go, and does not switch them off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    return exporter == "otlp" or (exporter == "" and any(environment.get(name) for name in _ENDPOINTS))


@contextmanager
def tracing(service: str, environment: Mapping[str, str] = os.environ) -> "Generator[Tracing | None]":
    """What makes spans of this program while the block lasts, sent over OTLP; None where nobody asked for them.

    Args:
        service: What it is called, unless OTEL_SERVICE_NAME says otherwise.

    Raises:
        UsedWrongly: OpenTelemetry is not installed.
    """
    if not is_wanted(environment):
        yield None
        return
    try:
        from publog.telemetry.spans import Tracing, exported
    except ImportError:
        raise UsedWrongly(
            "traces are asked for (OTEL_EXPORTER_OTLP_ENDPOINT), and OpenTelemetry is not installed:"
            " pip install 'publog[traces]'"
        ) from None
    provider = exported(service)
    try:
        yield Tracing(provider)
    finally:
        provider.shutdown()
