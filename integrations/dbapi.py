"""Any DB-API 2 driver: the connections that are wrapped record each statement they execute.

Written with the names that are public for everyone. A statement is kept without its literal values;
parameters are never looked at. Nothing is wrapped unless the program asks for it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, TypeVar

import wrapt

from wf_instrument.plugins import guard

from ._statement import BY_CALLER, begun

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._statement import Statement

_C = TypeVar("_C")

__all__ = ["wrap_connect", "wrap_connection"]

#: Kinds of databases, named as SQLAlchemy does, by the first part of a driver's module.
_SYSTEMS: Final = {
    "_sqlite3": "sqlite", "sqlite3": "sqlite",
    "psycopg": "postgresql", "psycopg2": "postgresql", "pg8000": "postgresql",
    "MySQLdb": "mysql", "pymysql": "mysql", "mysql": "mysql", "mariadb": "mariadb",
    "oracledb": "oracle", "cx_Oracle": "oracle", "pymssql": "mssql",
}  # fmt: skip
#: Source: OpenTelemetry semantic conventions for database clients, "db.system.name".
_ANOTHER: Final = "other_sql"


def wrap_connect(connect: Callable[..., _C], system: str | None = None) -> Callable[..., _C]:
    """Return a function like a driver's `connect`, whose connections record what they execute.

    Args:
        connect: The driver's function.
        system: What kind of database it is; what the driver is for when None.
    """

    @functools.wraps(connect)
    def connected(*args: Any, **kwargs: Any) -> _C:
        return wrap_connection(connect(*args, **kwargs), system)

    return connected


def wrap_connection(connection: _C, system: str | None = None) -> _C:
    """Return a stand-in of a connection that records what it and its cursors execute.

    Harmless when called again. Functions in C that want a connection of the driver's own take the
    connection alone, not the stand-in.

    Args:
        connection: Of any driver.
        system: What kind of database it is; what the driver is for when None.
    """
    if type(connection) is _Connection:
        return connection
    module = type(connection).__module__.partition(".")[0]
    made: Any = _Connection(connection, system or _SYSTEMS.get(module, _ANOTHER))
    return made  # type: ignore[no-any-return]  # stands for a connection


class _Executing(wrapt.ObjectProxy):  # type: ignore[type-arg]  # wrapt 1 takes none
    """Records the methods that execute statements, where the original has them."""

    def __init__(self, wrapped: Any, system: str) -> None:
        super().__init__(wrapped)
        # What begins so is the stand-in's own; everything else is the original's.
        self._self_system = system
        setattr(self, BY_CALLER, False)

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return functools.partial(_execute, self, found) if name in _EXECUTING else found

    def __enter__(self) -> Any:
        return self._self_instead_of(self.__wrapped__.__enter__())

    def _self_instead_of(self, made: Any) -> Any:
        return self if made is self.__wrapped__ else made


class _Cursor(_Executing):
    def __init__(self, wrapped: Any, connection: _Connection) -> None:
        super().__init__(wrapped, connection._self_system)  # noqa: SLF001 - a stand-in's own
        self._self_connection = connection

    def __getattr__(self, name: str) -> Any:
        if name == "connection":  # an extension of the standard, which some drivers have
            super().__getattr__(name)
            return self._self_connection
        return super().__getattr__(name)

    def __next__(self) -> Any:
        return next(self.__wrapped__)


class _Connection(_Executing):
    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        return _Cursor(self.__wrapped__.cursor(*args, **kwargs), self)

    def _self_instead_of(self, made: Any) -> Any:
        # Some drivers' connections execute, and return the cursor they did it with.
        is_cursor = hasattr(made, "fetchone")
        return _Cursor(made, self) if is_cursor else super()._self_instead_of(made)


def _execute(of: _Executing, execute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    begin = None
    with guard("dbapi.begin"):
        if not getattr(of, BY_CALLER):
            begin = begun(_statement(execute, args, kwargs), of._self_system, "dbapi")  # noqa: SLF001 - ours
    try:
        made = execute(*args, **kwargs)
    except BaseException as error:
        _end(begin, error)
        raise
    _end(begin, None)
    return of._self_instead_of(made)  # noqa: SLF001 - ours


def _statement(execute: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # The standard's name of the argument, and the one of the drivers that take it by name.
    given = args[0] if args else kwargs.get("operation", kwargs.get("query"))
    return f"CALL {given}" if getattr(execute, "__name__", "") == "callproc" else given


def _end(statement: Statement | None, error: BaseException | None) -> None:
    if statement is not None:
        with guard("dbapi.end"):
            statement.end(error)


#: The standard's, and those that drivers add.
_EXECUTING: Final = frozenset({"execute", "executemany", "executescript", "callproc"})
