"""One statement that is sent to a database: its span, its duration, and its text without values.

Written with the names that are public for everyone: the tracer, the registry and its histograms.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import opentracing

import wf_instrument
from wf_instrument.metrics import wavefront_histogram
from wf_instrument.plugins import is_suppressed

if TYPE_CHECKING:
    from opentracing import Span

__all__ = ["BY_CALLER", "Statement", "begun", "leave_to_caller", "without_literals"]

#: Of cursors that record what they execute: whether their caller does so already.
BY_CALLER: Final = "_self_wf_instrument_by_caller"

#: In seconds.
#: Source: OpenTelemetry semantic conventions for database clients, "Metric:
#:     `db.client.operation.duration`".
_METRIC: Final = "db.client.operation.duration"
_MAX_LENGTH: Final = 2048

#: Quoted text, with quotes that are doubled in it; numbers that are no part of a name.
_LITERALS: Final = re.compile(
    r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|(?<![\w.$:@\"`])[-+]?\d[\w.]*", re.DOTALL
)
#: Databases that take text in double quotes for a literal unless told otherwise.
_DOUBLE_QUOTED: Final = frozenset({"mysql", "mariadb"})
_DOUBLE_QUOTES: Final = re.compile(r'"(?:[^"]|"")*"', re.DOTALL)
#: Statements that begin with these words are told apart; there could be any first word.
_OPERATIONS: Final = frozenset(
    {
        "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "CREATE", "ALTER", "DROP",
        "TRUNCATE", "CALL", "PRAGMA",
    }
)  # fmt: skip


def without_literals(statement: str, *, double_quoted: bool = False) -> str:
    """Return a statement with `?` for each literal value, cut at 2,048 characters.

    What is cut off is not looked at, and a literal that is cut is left out as a whole.

    Args:
        statement: SQL.
        double_quoted: Whether text in double quotes is a literal, not a name.
    """
    text = statement[: 4 * _MAX_LENGTH]
    if "\\'" in text or '\\"' in text:
        # It depends on the database whether that ends a literal: nothing past the first one stays.
        text = re.split("['\"]", text, maxsplit=1)[0]
    if double_quoted:
        text = _DOUBLE_QUOTES.sub("?", text)
    text = _LITERALS.sub("?", text)
    # A quote that is not closed, here or where it was cut: what follows is a literal.
    text = text.partition("'")[0]
    return (text.partition('"')[0] if double_quoted else text)[:_MAX_LENGTH]


def leave_to_caller(cursor: object) -> None:
    """Have a cursor that records what it executes leave that to whoever calls it."""
    if hasattr(cursor, BY_CALLER):
        setattr(cursor, BY_CALLER, True)


def begun(statement: object, system: str, component: str) -> Statement | None:
    """Return a statement that begins now; None for one that is not to be recorded.

    Args:
        statement: SQL. What is no text is not looked at: its `repr` may have values.
        system: What kind of database it is for.
        component: By what it is sent.
    """
    if is_suppressed():
        return None
    wf_instrument.start_reporting()
    return Statement(statement if isinstance(statement, str) else "", system, component)


class Statement:
    """One statement that was sent; made by `begun`."""

    __slots__ = ("_operation", "_span", "_started_s", "_system")

    def __init__(self, statement: str, system: str, component: str) -> None:
        text = without_literals(statement, double_quoted=system in _DOUBLE_QUOTED)
        word = text.lstrip("( \n\t").partition(" ")[0].partition("\n")[0].upper()
        self._operation = word if word in _OPERATIONS else "OTHER"
        self._system = system
        self._span: Span = wf_instrument.get_tracer().start_span(
            self._operation,
            tags={
                "component": component,
                "span.kind": "client",
                "db.system.name": system,
                "db.query.text": text,
            },
        )
        self._started_s = time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """Record it, as failed when there is an error."""
        duration_s = time.perf_counter() - self._started_s
        tags = {"db.system.name": self._system, "db.operation.name": self._operation}
        if error is not None:
            # Not the exception's text, which quotes values.
            self._span.set_tag(opentracing.tags.ERROR, "true")
            tags["error.type"] = type(error).__name__
            self._span.set_tag("error.type", tags["error.type"])
        self._span.finish()
        registry = wf_instrument.get_registry()
        wavefront_histogram(registry, _METRIC, tags).add(duration_s)
