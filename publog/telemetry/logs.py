"""One line on standard error for each event: JSON for programs, columns for people. `PUBLOG_LOGS` says which.

Whoever has something to tell uses the standard library's `logging`, with what belongs to the event in `extra`. No event
has a payload in it, nor a key.
"""

import logging
import os
import sys
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, Literal

import orjson
import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name

from publog.settings import UsedWrongly

Form = Literal["json", "text"]

SETTING: Final = "PUBLOG_LOGS"
READY_LINE: Final = "publog_ready_line"
"""An attribute of records whose message is a line already, which another process of publog wrote."""

# Beam warns of every module that it could use and does not find.
_LEVELS: Final = {"": logging.WARNING, "publog": logging.INFO, "apache_beam": logging.ERROR}


def form_of(environment: Mapping[str, str] = os.environ) -> Form | None:
    """The form that is asked for, None where none is.

    Raises:
        UsedWrongly: there is no such form.
    """
    form = environment.get(SETTING) or None
    if form not in ("json", "text", None):
        raise UsedWrongly(f"{SETTING}={form}: it is json, or text")
    return form


@contextmanager
def telling(handler: logging.Handler, form: Form) -> Generator[None]:
    """All that is logged goes there while the block lasts; of other people's libraries, what they warn of."""
    handler.setFormatter(Formatter(form))
    root = logging.getLogger()
    before = root.handlers[:], {name: logging.getLogger(name).level for name in _LEVELS}
    root.handlers[:] = [handler]
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        root.handlers[:] = before[0]
        for name, level in before[1].items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def events_told(form: Form | None) -> Generator[None]:
    """The events of a command on standard error, while the block lasts."""
    if form is None:
        yield
        return
    with telling(logging.StreamHandler(sys.stderr), form):
        yield


class Formatter(ProcessorFormatter):
    """A record as a line."""

    def __init__(self, form: Form) -> None:
        before: list[Any] = [
            add_log_level,
            add_logger_name,
            ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _add_trace,
        ]
        if form == "json":
            last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]
        else:
            last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time")]
        super().__init__(processors=[ProcessorFormatter.remove_processors_meta, *last], foreign_pre_chain=before)

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if hasattr(record, READY_LINE) else super().format(record)


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The trace that this is part of. Where OpenTelemetry is not at work, nothing of it is loaded."""
    if "opentelemetry.sdk.trace" in sys.modules:
        from opentelemetry.trace import get_current_span

        context = get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"], event["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    return event


def _to_json(value: Any, **_: Any) -> str:
    # What is no JSON is told as Python shows it: an event must come out.
    return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
