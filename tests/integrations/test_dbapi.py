"""Connections of a DB-API driver: what they execute is recorded, and they are what they were."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from wf_instrument.integrations import sqlalchemy as of_sqlalchemy
from wf_instrument.integrations.dbapi import wrap_connect, wrap_connection

import wf_instrument
from wf_instrument.backends.local import LocalReporter
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    made = RecordingReporter()
    telemetry_for({"reporter": made})
    yield made
    wf_instrument.shutdown(5)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(wrap_connect(sqlite3.connect)(":memory:")) as made:
        yield made


def executed(reporter: RecordingReporter) -> list[str]:
    """Return the texts of the statements that were recorded."""
    wf_instrument.shutdown(5)
    return [str(dict(span.tags)["db.query.text"]) for span in reporter.spans]


def test_a_statement_is_recorded_as_under_sqlalchemy(
    reporter: RecordingReporter, connection: sqlite3.Connection
) -> None:
    with wf_instrument.span("outer"):
        found = connection.cursor().execute("SELECT 'secret', ?, 42", ("secret",)).fetchall()
    assert found == [("secret", "secret", 42)]
    wf_instrument.shutdown(5)
    spans = {span.name: span for span in reporter.spans}
    statement, outer = spans["SELECT"], spans["outer"]
    assert statement.parents == ((outer.trace_id, outer.span_id),)
    tags = dict(statement.tags)
    assert (tags["db.query.text"], tags["component"]) == ("SELECT ?, ?, ?", "dbapi")
    assert (tags["db.system.name"], tags["span.kind"]) == ("sqlite", "client")
    assert "secret" not in str(statement)
    (one,) = reporter.snapshot.distributions
    assert (one.name, one.histogram.count) == ("db.client.operation.duration", 1)
    assert dict(one.tags) == {"db.system.name": "sqlite", "db.operation.name": "SELECT"}


def test_each_way_to_execute_is_recorded_once(
    reporter: RecordingReporter, connection: sqlite3.Connection
) -> None:
    connection.execute("CREATE TABLE t (a)")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    with connection as entered:
        entered.executescript("DELETE FROM t WHERE a = 2;")
    cursor = entered.cursor()
    assert list(cursor.execute("SELECT a FROM t")) == [(1,)]
    assert next(cursor.execute("SELECT a FROM t")) == (1,)
    assert cursor.connection.execute("SELECT 7").fetchone() == (7,)
    assert executed(reporter) == [
        "CREATE TABLE t (a)",
        "INSERT INTO t VALUES (?)",
        "DELETE FROM t WHERE a = ?;",
        "SELECT a FROM t",
        "SELECT a FROM t",
        "SELECT ?",
    ]


def test_a_statement_that_fails_raises_as_ever_and_is_an_error(
    reporter: RecordingReporter, connection: sqlite3.Connection
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table: nowhere"):
        connection.execute("SELECT * FROM nowhere WHERE name = 'secret'")
    wf_instrument.shutdown(5)
    (span,) = reporter.spans
    assert dict(span.tags)["error.type"] == "OperationalError"
    assert "secret" not in str(span)


@pytest.mark.usefixtures("reporter")
def test_a_stand_in_is_what_the_driver_made(connection: sqlite3.Connection) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT 1 AS one").fetchone()
    assert (type(row), row["one"]) == (sqlite3.Row, 1)
    with pytest.raises(TypeError):
        connection.execute()  # type: ignore[call-arg]  # on purpose
    assert not hasattr(connection.cursor(), "callproc")
    assert isinstance(connection.cursor(), sqlite3.Cursor)
    assert wrap_connection(connection) is connection


class Unknown:
    """A connection of a driver that is not known, and takes the statement by name."""

    def execute(self, *, query: object) -> None:
        pass

    def callproc(self, name: str) -> str:
        return name


def test_a_driver_that_is_not_known_may_be_named(reporter: RecordingReporter) -> None:
    made: Any = wrap_connection(Unknown())
    made.execute(query="SELECT 1")
    made.execute(query=b"SELECT 'not looked at'")
    assert wrap_connection(Unknown(), "postgresql").callproc("refresh") == "refresh"
    wf_instrument.shutdown(5)
    found = [
        (span.name, dict(span.tags)["db.system.name"], dict(span.tags).get("db.query.text"))
        for span in reporter.spans
    ]
    assert found == [
        ("SELECT", "other_sql", "SELECT ?"),
        ("OTHER", "other_sql", None),
        ("CALL", "postgresql", "CALL refresh"),
    ]


@pytest.mark.parametrize(("installed", "component"), [(True, "sqlalchemy"), (False, "dbapi")])
def test_a_statement_of_sqlalchemy_is_recorded_once(
    reporter: RecordingReporter, installed: bool, component: str
) -> None:
    connect = wrap_connect(sqlite3.connect)
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: connect(":memory:"))
    if installed:
        of_sqlalchemy.install()
    try:
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 42")).scalar() == 42
    finally:
        of_sqlalchemy.uninstall()
        engine.dispose()
    wf_instrument.shutdown(5)
    tags = [dict(span.tags) for span in reporter.spans]
    assert [one["component"] for one in tags if one["db.query.text"] == "SELECT ?"] == [component]


def test_what_the_local_store_executes_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", wrap_connect(sqlite3.connect))
    reporter = RecordingReporter()
    telemetry_for({"reporter": [reporter, LocalReporter(tmp_path / "shop.db")]})
    with wf_instrument.span("outer"):
        pass
    assert wf_instrument.flush(5)
    with wf_instrument.span("outer"):
        pass
    wf_instrument.shutdown(5)
    assert (tmp_path / "shop.db").exists()
    assert [span.name for span in reporter.spans] == ["outer", "outer"]
