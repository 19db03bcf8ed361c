"""WebSockets, background work and held loops in the local store, and stores of version 1."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from samples import histogram, request_row, snapshot, span, websocket_row
from wf_instrument.backends.local import LocalReporter, StoreReader
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.snapshot import WebSocketEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.backends.local.results import WebSocketSummary

OK = WebSocketEnd(101)
REFUSED = WebSocketEnd(403, "client_error")
FAILED = WebSocketEnd(101, "server_error", "ValueError")
VERSION_1 = Path(__file__).parents[2] / "data" / "local_store_version_1.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store.db"


@pytest.fixture
def reporter(path: Path) -> Iterator[LocalReporter]:
    made = LocalReporter(path)
    yield made
    made.close(5)


@pytest.fixture
def old_path(path: Path) -> Path:
    """Return a store that a program of version 1 has written."""
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    path.chmod(0o600)
    return path


def websockets(path: Path) -> list[WebSocketSummary]:
    with closing(StoreReader(path)) as reader:
        return reader.websockets()


def column(path: Path, statement: str) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return [value for (value,) in connection.execute(statement)]


def test_websockets_add_up_over_intervals_and_slots(reporter: LocalReporter, path: Path) -> None:
    for at_s in (1_700_000_000, 1_700_000_001, 1_700_000_015):
        row = websocket_row("/chat", OK, OK, REFUSED, FAILED, in_flight=3)
        reporter.report(snapshot(websockets=[row], at_s=at_s))
    assert reporter.flush(5)
    (summary,) = websockets(path)
    assert (summary.framework, summary.route, summary.func) == ("starlette", "/chat", "chat")
    assert (summary.connections, summary.errors) == (12, 6)
    assert (summary.messages_received, summary.messages_sent) == (24, 36)
    assert (summary.received_bytes, summary.sent_bytes) == (240, 360)
    assert summary.statuses == ((101, 9), (403, 3))
    assert (summary.p50_s, summary.cpu_s) == (2.0, 6.0)
    assert column(path, "SELECT count(*) FROM websockets") == [2]


def test_open_websockets_are_the_latest_of_each_process(path: Path) -> None:
    reporters = [LocalReporter(path), LocalReporter(path)]
    for in_flight in (5, 2):
        for reporter in reporters:
            row = websocket_row("/chat", in_flight=in_flight)
            assert reporter.report(snapshot(websockets=[row])) == 1
            assert reporter.flush(5)
    (summary,) = websockets(path)
    for reporter in reporters:
        reporter.close(5)
    assert (summary.in_flight, summary.connections) == (4, 0)


def test_websockets_of_a_process_that_is_gone_are_not_open(
    reporter: LocalReporter, path: Path
) -> None:
    row = websocket_row("/chat", OK, in_flight=3)
    reporter.report(snapshot(websockets=[row], at_s=time.time() - 60))
    assert reporter.flush(5)
    (summary,) = websockets(path)
    assert (summary.in_flight, summary.connections) == (0, 1)


def test_a_window_holds_only_its_own_websockets(reporter: LocalReporter, path: Path) -> None:
    for at_s in (1_700_000_000, 1_700_000_100):
        reporter.report(snapshot(websockets=[websocket_row("/chat", OK)], at_s=at_s))
    assert reporter.flush(5)
    with closing(StoreReader(path)) as reader:
        (summary,) = reader.websockets(since_s=1_700_000_050)
    assert summary.connections == 1


def test_a_clock_set_back_loses_no_websocket(reporter: LocalReporter, path: Path) -> None:
    for at_s in (1_700_000_000, 1_700_000_100, 1_700_000_000):
        reporter.report(snapshot(websockets=[websocket_row("/chat", OK, FAILED)], at_s=at_s))
    assert reporter.flush(5)
    (summary,) = websockets(path)
    assert (summary.connections, summary.errors) == (6, 3)


def test_old_websockets_are_forgotten(path: Path) -> None:
    reporter = LocalReporter(path, retention_s=60)
    now = time.time()
    reporter.report(snapshot(websockets=[websocket_row("/old", OK)], at_s=now - 3600))
    for _ in range(60):
        reporter.report(snapshot(websockets=[websocket_row("/new", OK)], at_s=now))
        assert reporter.flush(5)
    reporter.close(5)
    assert [row.route for row in websockets(path)] == ["/new"]


def test_a_websocket_is_not_among_the_slowest_traces(reporter: LocalReporter, path: Path) -> None:
    long = span("chat", 1, duration_ms=3_600_000)
    tags = tuple((k, "101" if k == "http.status_code" else v) for k, v in long.tags)
    reporter.report(snapshot(spans=[replace(long, tags=tags), span("slow", 3)]))
    assert reporter.flush(5)
    with closing(StoreReader(path)) as reader:
        assert [row.name for row in reader.slowest_traces()] == ["slow"]
        assert len(reader.trace(f"{1:032x}")) == 1


def test_background_work_and_held_loops_are_stored_and_add_up(
    reporter: LocalReporter, path: Path
) -> None:
    row = request_row("/a", 200, [0.1])
    rest = replace(request_row("/a", 200, []), background=histogram([3.0]))
    for one in (replace(row, background=histogram([1.0]), blocked=histogram([0.2])), rest):
        reporter.report(snapshot(requests=[one], at_s=1_700_000_000))
    assert reporter.flush(5)
    (background,) = column(path, "SELECT background FROM slots")
    (blocked,) = column(path, "SELECT blocked FROM slots")
    assert isinstance(background, bytes)
    assert isinstance(blocked, bytes)
    assert ExponentialHistogram.from_bytes(background).sum == 4.0
    assert ExponentialHistogram.from_bytes(blocked).sum == 0.2
    with closing(StoreReader(path)) as reader:
        (summary,) = reader.summary()
    assert (summary.background_count, summary.blocked_count) == (2, 1)
    assert 0.9 < summary.background_p95_s < 3.1
    assert summary.blocked_max_s == pytest.approx(0.2, rel=0.1)


def test_a_store_of_version_1_tells_no_background_work(old_path: Path) -> None:
    with closing(StoreReader(old_path)) as reader:
        assert {row.background_count for row in reader.summary()} == {0}


def test_background_work_alone_is_no_route_of_the_window(
    reporter: LocalReporter, path: Path
) -> None:
    rest = replace(request_row("/a", 200, []), background=histogram([3.0]))
    reporter.report(snapshot(requests=[rest]))
    assert reporter.flush(5)
    with closing(StoreReader(path)) as reader:
        assert reader.summary() == []


def test_a_store_of_version_1_is_brought_up_to_date_and_keeps_what_it_holds(old_path: Path) -> None:
    reporter = LocalReporter(old_path)
    row = replace(request_row("/a", 200, [0.03]), background=histogram([1.0]))
    reporter.report(
        snapshot(requests=[row], websockets=[websocket_row("/chat", OK)], at_s=1_700_000_000)
    )
    assert reporter.flush(5)
    reporter.close(5)
    assert column(old_path, "PRAGMA user_version") == [2]
    with closing(StoreReader(old_path)) as reader:
        assert {row.route: row.count for row in reader.summary()} == {"/a": 3, "/b": 1}
        assert [row.connections for row in reader.websockets()] == [1]
        assert [row.name for row in reader.slowest_traces()] == ["slow"]


def test_an_updated_store_has_the_tables_of_a_new_one(old_path: Path, tmp_path: Path) -> None:
    new_path = tmp_path / "new.db"
    shapes = []
    for path in (old_path, new_path):
        LocalReporter(path).close(5)
        with closing(sqlite3.connect(path)) as connection:
            names = column(path, "SELECT name FROM sqlite_master ORDER BY name")
            shapes.append(
                {
                    name: connection.execute(f"PRAGMA table_info({name})").fetchall()
                    for name in names
                }
            )
    assert shapes[0] == shapes[1]


def test_a_store_of_version_1_can_be_read_before_anyone_updates_it(old_path: Path) -> None:
    with closing(StoreReader(old_path)) as reader:
        assert {row.route: row.count for row in reader.summary()} == {"/a": 2, "/b": 1}
        assert reader.websockets() == []
    assert column(old_path, "PRAGMA user_version") == [1]


@pytest.mark.slow
def test_processes_that_update_a_store_at_a_time_lose_nothing(old_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from samples import snapshot, websocket_row
from wf_instrument.backends.local import LocalReporter
from wf_instrument.reporting.snapshot import WebSocketEnd
reporter = LocalReporter(Path({str(old_path)!r}))
reporter.report(snapshot(websockets=[websocket_row("/chat", WebSocketEnd(101))]))
reporter.close(30)
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    (summary,) = websockets(old_path)
    assert summary.connections == 4
