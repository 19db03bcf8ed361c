"""SQLAlchemy: `install()` records each statement that an engine executes, whatever the database.

Written with the names that are public for everyone: the tracer, the registry and its histograms.
A statement is kept without its literal values; parameters are never looked at.
"""

from __future__ import annotations

from typing import Any, Final

from wf_instrument.plugins import MissingExtraError, guard

from ._statement import begun, leave_to_caller, without_literals

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


def _before(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    with guard("sqlalchemy.before"):
        leave_to_caller(cursor)
        context._wf_instrument = begun(statement, connection.dialect.name, "sqlalchemy")  # noqa: SLF001 - ours


def _after(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    with guard("sqlalchemy.after"):
        _end(context, None)


def _failed(exception_context: Any) -> None:
    with guard("sqlalchemy.error"):
        if exception_context.execution_context is not None:
            _end(exception_context.execution_context, exception_context.original_exception)


def _end(context: Any, error: BaseException | None) -> None:
    statement = vars(context).pop("_wf_instrument", None)
    if statement is not None:
        statement.end(error)


_LISTENERS: Final[dict[str, Any]] = {
    "before_cursor_execute": _before,
    "after_cursor_execute": _after,
    "handle_error": _failed,
}
