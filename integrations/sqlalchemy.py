"""SQLAlchemy: `install()` records each statement that an engine executes, whatever the database.

Written with the names that are public for everyone: the tracer, the registry and its histograms.
A statement is kept without its literal values; parameters are never looked at.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

import opentracing

import wf_instrument
from wf_instrument.metrics import wavefront_histogram
from wf_instrument.plugins import MissingExtraError, guard

try:
    import sqlalchemy
    from sqlalchemy import event
except ImportError as exc:
    raise MissingExtraError(
        "recording statements of SQLAlchemy needs the package 'sqlalchemy', which is not "
        "installed; run: pip install sqlalchemy",
        name="sqlalchemy",
    ) from exc

__all__ = ["install", "uninstall", "without_literals"]

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


def install() -> None:
    """Record every statement of every engine from now on; harmless when called again."""
    for name, listener in _LISTENERS.items():
        if not event.contains(sqlalchemy.engine.Engine, name, listener):
            event.listen(sqlalchemy.engine.Engine, name, listener)


def uninstall() -> None:
    """Record nothing any more; harmless when called again."""
    for name, listener in _LISTENERS.items():
        if event.contains(sqlalchemy.engine.Engine, name, listener):
            event.remove(sqlalchemy.engine.Engine, name, listener)


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


def _before(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    with guard("sqlalchemy.before"):
        wf_instrument.start_reporting()
        double_quoted = connection.dialect.name in _DOUBLE_QUOTED
        text = without_literals(statement, double_quoted=double_quoted)
        word = text.lstrip("( \n\t").partition(" ")[0].partition("\n")[0].upper()
        operation = word if word in _OPERATIONS else "OTHER"
        span = wf_instrument.get_tracer().start_span(
            operation,
            tags={
                "component": "sqlalchemy",
                "span.kind": "client",
                "db.system.name": connection.dialect.name,
                "db.query.text": text,
            },
        )
        context._wf_instrument = (span, operation, time.perf_counter())  # noqa: SLF001 - ours


def _after(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    with guard("sqlalchemy.after"):
        _end(context, connection.dialect.name, None)


def _failed(exception_context: Any) -> None:
    with guard("sqlalchemy.error"):
        context = exception_context.execution_context
        if context is not None:
            _end(context, exception_context.dialect.name, exception_context.original_exception)


def _end(context: Any, system: str, error: BaseException | None) -> None:
    begun = vars(context).pop("_wf_instrument", None)
    if begun is None:
        return
    span, operation, started_s = begun
    tags = {"db.system.name": system, "db.operation.name": operation}
    if error is not None:
        # Not the exception's text, which quotes values.
        span.set_tag(opentracing.tags.ERROR, "true")
        tags["error.type"] = type(error).__name__
        span.set_tag("error.type", tags["error.type"])
    span.finish()
    registry = wf_instrument.get_registry()
    wavefront_histogram(registry, _METRIC, tags).add(time.perf_counter() - started_s)


_LISTENERS: Final[dict[str, Any]] = {
    "before_cursor_execute": _before,
    "after_cursor_execute": _after,
    "handle_error": _failed,
}
