"""Statements of SQLAlchemy: a span and a duration each, without a literal value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from wf_instrument.integrations.sqlalchemy import install, uninstall, without_literals

import wf_instrument
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    made = RecordingReporter()
    telemetry_for({"reporter": made})
    install()
    install()
    yield made
    uninstall()
    uninstall()
    wf_instrument.shutdown(5)


def execute(*statements: str, **parameters: object) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            for one in statements:
                connection.execute(sqlalchemy.text(one), parameters)
    finally:
        engine.dispose()


def test_a_statement_is_a_span_of_the_current_one_and_a_duration(
    reporter: RecordingReporter,
) -> None:
    with wf_instrument.span("outer"):
        execute("SELECT 'secret', :given, 42", given="secret")
    wf_instrument.shutdown(5)
    spans = {span.name: span for span in reporter.spans}
    statement, outer = spans["SELECT"], spans["outer"]
    assert statement.parents == ((outer.trace_id, outer.span_id),)
    tags = dict(statement.tags)
    assert tags["db.query.text"] == "SELECT ?, ?, ?"
    assert (tags["db.system.name"], tags["span.kind"]) == ("sqlite", "client")
    assert "secret" not in str(statement)
    (one,) = reporter.snapshot.distributions
    assert (one.name, one.histogram.count) == ("db.client.operation.duration", 1)
    assert dict(one.tags) == {"db.system.name": "sqlite", "db.operation.name": "SELECT"}


def test_a_statement_that_fails_raises_as_ever_and_is_an_error(reporter: RecordingReporter) -> None:
    with pytest.raises(sqlalchemy.exc.OperationalError):
        execute("SELECT * FROM nowhere WHERE name = 'secret'")
    wf_instrument.shutdown(5)
    (span,) = reporter.spans
    assert dict(span.tags)["error.type"] == "OperationalError"
    assert "secret" not in str(span)
    assert dict(reporter.snapshot.distributions[0].tags)["error.type"] == "OperationalError"


def test_after_uninstalling_nothing_is_recorded(reporter: RecordingReporter) -> None:
    uninstall()
    execute("SELECT 1")
    wf_instrument.flush(5)
    assert reporter.spans == ()


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("SELECT a1 FROM t2 WHERE x=1.5e3", "SELECT a1 FROM t2 WHERE x=?"),
        ("INSERT INTO t VALUES ('it''s', -7)", "INSERT INTO t VALUES (?, ?)"),
        ("SELECT 'a' , $1, :p1, ?", "SELECT ? , $1, :p1, ?"),
        ("SELECT 'a\\', 'secret'", "SELECT "),
        ("SELECT E'a\\'secret', 7", "SELECT E"),
        ("SELECT $$secret$$, $q$it's$q$", "SELECT ?, ?"),
        ('SELECT "a name" FROM t', 'SELECT "a name" FROM t'),
        ("SELECT 'never closed", "SELECT "),
    ],
)
def test_literal_values_are_left_out(statement: str, kept: str) -> None:
    assert without_literals(statement) == kept


def test_text_in_double_quotes_is_left_out_where_it_is_a_literal() -> None:
    statement = """SELECT "it's", 'a "b"', "never closed"""
    assert without_literals(statement, double_quoted=True) == "SELECT ?, ?, "


@given(value=st.text())
def test_no_quoted_text_stays(value: str) -> None:
    quoted = value.replace("'", "''")
    assert without_literals(f"SELECT '{quoted}' FROM t") in {"SELECT ? FROM t", "SELECT "}
