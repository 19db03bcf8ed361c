"""What goes wrong around a local store costs no figure that was taken."""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, SupportsFloat, cast

import pytest

from samples import IDENTITY, request_row, snapshot, span
from wf_instrument.backends.local import LocalReporter, StoreReader
from wf_instrument.errors import StoreError
from wf_instrument.reporting.snapshot import Point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import Snapshot

AT_S = 1_700_000_000

forks = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def reporter(path: Path) -> Iterator[LocalReporter]:
    made = LocalReporter(path)
    yield made
    made.close(5)


def requests(route: str, number: int = 1, *, identity: Identity = IDENTITY) -> Snapshot:
    return snapshot(requests=[request_row(route, 200, [0.1] * number)], identity=identity)


def counts(path: Path) -> dict[str | None, int]:
    reader = StoreReader(path)
    found = {row.route: row.count for row in reader.summary()}
    reader.close()
    return found


def in_child(work: Callable[[], bool]) -> int:
    """Fork; the child exits with 0 when `work` returned true."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return pid


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@forks
def test_a_forked_child_keeps_writing_when_its_parent_has_closed_the_store(
    reporter: LocalReporter, path: Path
) -> None:
    reporter.report(requests("/parent"))
    assert reporter.flush(5)
    wrote, goes_on = os.pipe(), os.pipe()

    def child() -> bool:
        identity = IDENTITY.in_child()
        reporter.report(requests("/child", identity=identity))
        first = reporter.flush(10)
        os.write(wrote[1], b"1")
        os.read(goes_on[0], 1)
        reporter.report(requests("/child", identity=identity))
        return first and reporter.flush(10)

    pid = in_child(child)
    os.read(wrote[0], 1)
    reporter.close(5)
    os.write(goes_on[1], b"1")
    assert exit_code(pid) == 0
    assert counts(path) == {"/parent": 1, "/child": 2}
    for end in (*wrote, *goes_on):
        os.close(end)


@forks
@pytest.mark.slow
def test_a_fork_waits_for_the_transaction_that_is_going_on(
    reporter: LocalReporter, path: Path
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class SlowNumber:
        def __float__(self) -> float:
            if threading.current_thread().name == "wf-instrument-store":
                inside.set()
                go_on.wait(5)
            return 1.0

    slow = Point("slow", cast("float", cast("SupportsFloat", SlowNumber())), "gauge")
    row = request_row("/parent", 200, [0.1])
    reporter.report(snapshot(requests=[row], points=[slow]))
    assert inside.wait(5)
    threading.Timer(0.2, go_on.set).start()

    def child() -> bool:
        reporter.report(requests("/child", identity=IDENTITY.in_child()))
        return reporter.flush(10)

    assert exit_code(in_child(child)) == 0
    assert reporter.flush(5)
    assert counts(path) == {"/parent": 1, "/child": 1}


@forks
def test_a_reader_goes_on_in_parent_and_child(reporter: LocalReporter, path: Path) -> None:
    reporter.report(requests("/a"))
    assert reporter.flush(5)
    reader = StoreReader(path)
    before = reader.version()

    def child() -> bool:
        return reader.summary()[0].count == 1 and reader.version() != before

    assert exit_code(in_child(child)) == 0
    assert reader.summary()[0].count == 1
    reader.close()


@pytest.mark.slow
def test_a_locked_store_delays_and_loses_nothing(reporter: LocalReporter, path: Path) -> None:
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.1])], spans=[span("s", 7)]))
    assert not reporter.flush(0.6)
    lock.execute("ROLLBACK")
    lock.close()
    assert reporter.flush(5)
    assert counts(path) == {"/a": 1}
    reader = StoreReader(path)
    assert [row.name for row in reader.slowest_traces()] == ["s"]
    reader.close()


@pytest.mark.slow
def test_what_cannot_be_written_when_closing_is_counted_in_time(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = LocalReporter(path)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        reporter.report(requests("/a"))
    begun_s = time.monotonic()
    reporter.close(1)
    assert time.monotonic() - begun_s < 15
    deadline_s = time.monotonic() + 5
    while not reporter.dropped and time.monotonic() < deadline_s:
        threading.Event().wait(0.01)
    assert reporter.dropped == 3
    assert "dropped 3 data" in caplog.text
    lock.close()


def test_a_value_that_is_no_number_costs_only_itself(reporter: LocalReporter, path: Path) -> None:
    points = [
        Point("nan", math.nan, "gauge"),
        Point("inf", math.inf, "gauge"),
        Point("huge", 10**400, "gauge"),
        Point("none", cast("float", None), "gauge"),
        Point("good", 1, "gauge"),
    ]
    row = request_row("/a", 200, [0.1])
    assert reporter.report(snapshot(requests=[row], points=points)) == 2
    assert reporter.flush(5)
    assert counts(path) == {"/a": 1}


def test_a_start_time_beyond_all_bounds_is_stored_at_the_bound(
    reporter: LocalReporter, path: Path
) -> None:
    reporter.report(snapshot(spans=[replace(span("far", 1), start_ns=10**22)]))
    assert reporter.flush(5)
    reader = StoreReader(path)
    assert reader.slowest_traces()[0].name == "far"
    reader.close()


def test_a_snapshot_that_cannot_be_stored_is_dropped_counted_and_followed(
    reporter: LocalReporter, path: Path
) -> None:
    bad = replace(span("bad", 1), tags=((cast("str", object()), ""),))
    reporter.report(snapshot(spans=[bad]))
    reporter.report(requests("/a"))
    assert reporter.flush(5)
    assert reporter.dropped == 1
    assert counts(path) == {"/a": 1}


def test_a_clock_that_is_set_back_overwrites_nothing(reporter: LocalReporter, path: Path) -> None:
    row = request_row("/a", 200, [0.1] * 5)
    for at_s in (AT_S, AT_S + 60, AT_S, AT_S + 60):
        reporter.report(snapshot(requests=[row], at_s=at_s))
    assert reporter.flush(5)
    assert counts(path) == {"/a": 20}


def test_reporters_of_one_process_add_up(path: Path) -> None:
    row = request_row("/a", 200, [0.1] * 5)
    together = [LocalReporter(path) for _ in range(2)]
    for reporter in together:
        reporter.report(snapshot(requests=[row], at_s=AT_S))
    for reporter in together:
        reporter.close(5)
    later = LocalReporter(path)
    later.report(snapshot(requests=[row], at_s=AT_S))
    later.close(5)
    assert counts(path) == {"/a": 15}


def test_a_store_that_was_deleted_is_made_again(reporter: LocalReporter, path: Path) -> None:
    reporter.report(requests("/before"))
    assert reporter.flush(5)
    reader = StoreReader(path)
    before = reader.version()
    for file in path.parent.glob("store.db*"):
        file.unlink()
    reporter.report(requests("/after"))
    assert reporter.flush(5)
    assert [row.route for row in reader.summary()] == ["/after"]
    assert reader.version() != before
    reader.close()


def test_a_reader_sees_every_write_and_never_half_of_one(
    reporter: LocalReporter, path: Path
) -> None:
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        reader = StoreReader(path)
        while not done.is_set():
            seen.append(sum(row.count for row in reader.summary()))
        reader.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        rows = [request_row(f"/r{n}", 200, [0.1]) for n in range(5)]
        reporter.report(snapshot(requests=rows, at_s=AT_S))
        assert reporter.flush(5)
    done.set()
    watcher.join(5)
    assert seen == sorted(seen)
    assert all(count % 5 == 0 for count in seen)


def test_threads_that_come_and_go_leave_no_connection_behind(
    reporter: LocalReporter, path: Path
) -> None:
    reader = StoreReader(path)
    versions = []

    def ask() -> None:
        reader.summary()
        versions.append(reader.version())

    def ask_in_a_new_thread() -> None:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(5)

    ask_in_a_new_thread()
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(10):
        ask_in_a_new_thread()
    assert len(list(Path("/dev/fd").iterdir())) <= before
    assert len(set(versions)) == 1
    reader.close()
    with pytest.raises(StoreError, match="was closed"):
        reader.summary()


def test_a_store_damaged_later_is_told_in_one_sentence(reporter: LocalReporter, path: Path) -> None:
    reporter.report(requests("/a"))
    reporter.close(5)
    reader = StoreReader(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match="cannot be read") as caught:
        reader.summary()
    assert "\n" not in str(caught.value)
    reader.close()


@pytest.mark.slow
def test_a_store_of_spans_alone_stays_within_its_bound(path: Path) -> None:
    reporter = LocalReporter(path, max_bytes=1_000_000)
    spans = [span("s" * 500, n + 1) for n in range(100)]
    for _ in range(121):
        reporter.report(snapshot(spans=spans))
        assert reporter.flush(10)
    reporter.close(5)
    reader = StoreReader(path)
    assert 0 < len(reader.slowest_traces(limit=100_000)) < 1500
    reader.close()
    assert path.stat().st_size < 3_000_000
