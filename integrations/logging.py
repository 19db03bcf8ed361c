"""Trace ids in log records: `install()`, or `TraceIdFilter` where logging is configured.

`JsonFormatter` writes records, ids and all, as JSON.

Every record gets `trace_id`, `span_id` and `route`, empty outside of a request or span; a record
that has one of these from the application keeps it.

Threads: any; `install` and `uninstall` are for the start of a program and its tests.
"""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.guard import caught
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.web.failed_in import ids_of_error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JsonFormatter", "TraceIdFilter", "current_ids", "install", "uninstall"]

_SPAN_MASK: Final = (1 << 64) - 1

#: What every record has, and what a formatter leaves on it.
_USUAL_FIELDS: Final = {
    *vars(logging.makeLogRecord({})), "message", "asctime", "taskName",
}  # fmt: skip

_original: Callable[..., logging.LogRecord] | None = None
_is_on = False


class TraceIdFilter(logging.Filter):
    """Adds the ids to the records of one handler or logger; lets all of them pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids and return True."""
        _add_ids(record)
        return True


class JsonFormatter(logging.Formatter):
    """Writes a record as a line of JSON: time, level, logger, message, ids, `extra` fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what JSON cannot hold stands in it as text."""
        import json

        _add_ids(record)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = _USUAL_FIELDS
        line.update({key: value for key, value in vars(record).items() if key not in known})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def current_ids() -> dict[str, str]:
    """Return `trace_id`, `span_id` and `route` of where we are; empty texts for none."""
    return dict(zip(("trace_id", "span_id", "route"), _current(sys.exc_info()[1]), strict=True))


def install() -> None:
    """Add the ids to every record that is logged from now on; harmless when called again."""
    global _original, _is_on
    _is_on = True
    if _original is None:
        # Not by a record factory: logging refuses `extra={"trace_id": ...}` if the factory was
        # there first.
        _original = logging.Logger.makeRecord
        logging.Logger.makeRecord = _make_record  # type: ignore[method-assign]  # see above


def uninstall() -> None:
    """Add nothing any more; harmless when called again."""
    global _original, _is_on
    _is_on = False
    # Where somebody wrapped it further it stays, and does nothing.
    if _original is not None and logging.Logger.makeRecord is _make_record:
        logging.Logger.makeRecord = _original  # type: ignore[method-assign]  # as it was
        _original = None


def _make_record(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
    assert _original is not None  # noqa: S101 - our own invariant: set before this is
    record = _original(self, *args, **kwargs)
    if _is_on:
        _add_ids(record)
    return record


def _add_ids(record: logging.LogRecord) -> None:
    fields = record.__dict__
    try:
        error = record.exc_info[1] if record.exc_info else sys.exc_info()[1]
        trace_id, span_id, route = _current(error)
    except Exception as error:  # noqa: BLE001 - a log line is worth more than its ids
        caught("logging.ids", error)
        trace_id, span_id, route = "", "", ""
    fields.setdefault("trace_id", trace_id)
    fields.setdefault("span_id", span_id)
    fields.setdefault("route", route)


def _current(error: BaseException | None) -> tuple[str, str, str]:
    """Return trace id, span id and route of where we are, empty texts where there are none."""
    span = ACTIVE.get()
    if span is not None:
        request: Any = span.served_request
        peek = getattr(request, "peek_handle", None)
        handle = None if peek is None else peek()
        route = None if handle is None else handle.route
        return (*_as_text(span.trace_id_int, span.span_id_int), route or "")
    # Servers and outer layers log what escaped the application when its span is no more current.
    ids = ids_of_error(error)
    return ("", "", "") if ids is None else (*_as_text(*ids), "")


def _as_text(trace_id: int, span_id: int) -> tuple[str, str]:
    return f"{trace_id:032x}", f"{span_id & _SPAN_MASK:016x}"
