"""The canonical log line: one wide event a request, through the logger `wf_instrument.access`.

Written when the request has ended, in its thread or task and with its span active, so that
filters which ask for the current span find it.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.guard import caught
from wf_instrument.tracing.active import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.web.request import RequestRecord
    from wf_instrument.web.series import RouteHandle

__all__ = ["ACCESS_LOGGER", "AccessLine", "event_of"]

ACCESS_LOGGER: Final = "wf_instrument.access"

_SPAN_MASK: Final = (1 << 64) - 1
_MAX_PATH_CHARACTERS: Final = 2000
_PLAIN: Final = re.compile(r"[!#-<>-~]+")


class AccessLine:
    """Writes the line of each request, where anybody listens.

    Args:
        form: `text` for `key=value` pairs, `json` for one object; the fields of both are in the
            attribute `wf` of the log record.
    """

    def __init__(self, form: str) -> None:
        self._log = logging.getLogger(ACCESS_LOGGER)
        self._format: Callable[[dict[str, object]], str] = _as_json if form == "json" else _as_text

    def write(
        self, record: RequestRecord, handle: RouteHandle, latency_ns: int, cpu_ns: int
    ) -> None:
        """Log a request that has ended. Never raises."""
        if not self._log.isEnabledFor(logging.INFO):
            return
        before = ACTIVE.get()
        ACTIVE.set(record.span)
        try:
            event = event_of(record, handle, latency_ns, cpu_ns)
            self._log.info("%s", self._format(event), extra={"wf": event})
        except Exception as error:  # noqa: BLE001 - filters and handlers are the application's
            caught("extras.log_line", error)
        finally:
            ACTIVE.set(before)


def event_of(
    record: RequestRecord, handle: RouteHandle, latency_ns: int, cpu_ns: int
) -> dict[str, object]:
    """Return what is known of a request that has ended; what is not known is left out."""
    error, span = record.error, record.span
    error_type = None if error is None else type(error).__name__
    cell = record.cell or handle.cell(record.status, record.outcome, error_type)
    started = datetime.fromtimestamp(record.started_ns / 1e9, timezone.utc)
    ttfb_ns = record.first_byte_ns - record.started_mono_ns if record.first_byte_ns else -1
    event: dict[str, object] = {
        "time": started.isoformat(timespec="milliseconds"),
        "framework": handle.framework,
        "method": record.method[:32],
        "path": record.target()[:_MAX_PATH_CHARACTERS],
        "route": handle.route,
        "func": handle.func,
        "status": record.status,
        "outcome": cell.key.outcome,
        "error_type": error_type,
        "latency_ms": _ms(latency_ns),
        "ttfb_ms": _ms(ttfb_ns),
        "queued_ms": _ms(record.queued_ns),
        "cpu_ms": _ms(cpu_ns),
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "trace_id": None if span is None else f"{span.trace_id_int:032x}",
        "span_id": None if span is None else f"{span.span_id_int & _SPAN_MASK:016x}",
        "dimensions": dict(getattr(record, "dimensions", None) or ()) or None,
    }
    return {key: value for key, value in event.items() if value is not None}


def _ms(ns: int) -> float | None:
    return None if ns < 0 else round(ns / 1e6, 3)


def _as_json(event: dict[str, object]) -> str:
    return json.dumps(event, default=str, separators=(",", ":"))


def _as_text(event: dict[str, object]) -> str:
    dimensions: Any = event.get("dimensions", {})
    pairs = [(key, value) for key, value in event.items() if key != "dimensions"]
    return " ".join(
        f"{_quoted(key)}={_quoted(value)}" for key, value in (*pairs, *dimensions.items())
    )


def _quoted(value: object) -> str:
    text = str(value)
    # Nothing in a value may look like the next field, or like the next line.
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
