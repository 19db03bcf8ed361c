"""The local store: nothing lost by any number of writers, nobody else reads it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import request_row, snapshot, span
from wf_instrument.backends.local import LocalReporter, StoreReader, default_path, from_url
from wf_instrument.errors import ConfigError, StoreError
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.reporting.reporter_url import ReporterUrl
from wf_instrument.reporting.snapshot import InFlight, MinuteDistribution, Point, UnmatchedPath
from wf_instrument.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

IDENTITY = Identity(ApplicationTags("app", "service"), "host-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store.db"


@pytest.fixture
def reporter(path: Path) -> Iterator[LocalReporter]:
    made = LocalReporter(path)
    yield made
    made.close(5)


def read(path: Path) -> StoreReader:
    return StoreReader(path)


def test_what_is_reported_can_be_read_while_the_writer_goes_on(
    reporter: LocalReporter, path: Path
) -> None:
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.01, 0.02])]))
    assert reporter.flush(5)
    reader = read(path)
    before = reader.version()
    assert [(r.route, r.count) for r in reader.summary()] == [("/a", 2)]
    reporter.report(snapshot(requests=[request_row("/a", 500, [0.03], error="ValueError")]))
    assert reporter.flush(5)
    (row,) = reader.summary()
    assert (row.count, row.errors, row.statuses) == (3, 1, ((200, 2), (500, 1)))
    assert row.max_s == 0.03
    assert row.latency_sum_s == pytest.approx(0.06)
    assert row.cpu_share == 1.0
    assert reader.version() != before
    reader.close()


def test_quantiles_of_many_rows_are_those_of_one_histogram(
    reporter: LocalReporter, path: Path
) -> None:
    values = [0.001 * (1 + i % 100) for i in range(1000)]
    for part in range(10):
        reporter.report(
            snapshot(
                requests=[request_row("/a", 200, values[part::10])],
                at_s=1_700_000_000 + 7 * part,
            )
        )
    assert reporter.flush(5)
    whole = request_row("/a", 200, values).latency
    reader = read(path)
    (row,) = reader.summary()
    assert (row.p50_s, row.p95_s, row.p99_s) == pytest.approx(
        (whole.quantile(0.5), whole.quantile(0.95), whole.quantile(0.99))
    )
    buckets = reader.timeline(1_700_000_000, 1_700_000_070)
    assert sum(bucket.count for bucket in buckets) == 1000
    assert reader.timeline(0, 20)[0].p50_s is None
    reader.close()


def test_spans_points_paths_and_processes_are_kept(reporter: LocalReporter, path: Path) -> None:
    reporter.report(
        snapshot(
            requests=[],
            spans=[span("slow", 5, duration_ms=900), span("fast", 6, duration_ms=1)],
            in_flight=[InFlight("flask", "/a", "a", "GET", 3)],
            total_in_flight={"flask": 4},
            unmatched=[UnmatchedPath("/wp-admin", 2)],
            points=[Point("jobs", 2, "delta"), Point("temperature", 20, "gauge")],
            self_points=[Point("wf_instrument.reporter.refused", 1, "counter", (("r", "x"),))],
            distributions=[MinuteDistribution("d", 60, request_row("/", 200, [1.0]).latency)],
        )
    )
    assert reporter.flush(5)
    reader = read(path)
    slow, fast = reader.slowest_traces()
    assert (slow.name, slow.duration_s, fast.name) == ("slow", 0.9, "fast")
    (stored,) = reader.trace(slow.trace_id)
    assert ("http.method", "GET") in stored.tags
    assert reader.in_flight() == (4, [("/a", "GET", 3)])
    assert reader.unmatched() == [("/wp-admin", 2)]
    assert reader.processes()[0].source == "host-1"
    assert reader.self_points() == {"wf_instrument.reporter.refused{x}": 1}
    reader.close()


@pytest.mark.slow
def test_eight_processes_writing_one_store_lose_nothing(path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from samples import request_row, snapshot
from wf_instrument.backends.local import LocalReporter
from wf_instrument.identity import ApplicationTags, Identity
identity = Identity(ApplicationTags("a", "s"), "h")
reporter = LocalReporter(Path({str(path)!r}))
for number in range(50):
    taken = reporter.report(snapshot(
        requests=[request_row(f"/r{{number % 5}}", 200, [0.01] * 10)], identity=identity))
    assert taken == 1
    assert reporter.flush(30)
reporter.close(30)
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(8)]
    assert [process.wait(120) for process in running] == [0] * 8
    reader = read(path)
    rows = reader.summary()
    assert {row.route: row.count for row in rows} == {f"/r{n}": 8 * 10 * 10 for n in range(5)}
    assert len(reader.processes()) == 8
    reader.close()


def test_the_store_is_private_to_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    shared = tmp_path / "wf-instrument"
    shared.mkdir(mode=0o755)
    reporter = from_url(ReporterUrl("local"), IDENTITY, Settings(service="my/../shop"))
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.01])]))
    assert reporter.flush(5)
    path = default_path("my/../shop")
    assert path.parent == shared
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700
    for file in shared.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    reporter.close(5)


def test_a_new_folder_is_made_private(path: Path, reporter: LocalReporter) -> None:
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is no database at all " * 100)
    with pytest.raises(StoreError, match="cannot be read as a database") as caught:
        LocalReporter(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_a_newer_store_and_a_missing_store_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        LocalReporter(tmp_path)
    newer = tmp_path / "newer.db"
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="upgrade wf-instrument"):
        LocalReporter(newer)
    with pytest.raises(StoreError, match="does not exist"):
        StoreReader(tmp_path / "none.db")


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    for version in (0, 1):
        path = tmp_path / f"shop{version}.db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE orders (id)")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StoreError, match="database of another program"):
            LocalReporter(path)
        assert path.read_bytes() == before


def test_a_wide_folder_that_is_not_ours_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "wf-instrument"
    folder.mkdir(mode=0o755)
    LocalReporter(folder / "store.db").close(5)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_the_default_place_follows_the_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    folder = Path("/home/me/.local/state/wf-instrument")
    assert default_path("shop") == folder / "shop.db"
    assert default_path("../a/b") == folder / "_a_b.db"
    assert default_path("訂單") != default_path("付款")
    assert len(os.fsencode(default_path("é" * 500).name)) < 240
    assert default_path("..") == folder / "default.db"


def test_a_place_that_cannot_be_written_is_refused_at_start() -> None:
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        LocalReporter(Path("/proc/none/store.db"))


def test_a_local_url_with_a_host_or_an_unknown_parameter_is_refused() -> None:
    for text, words in (
        ("local://tmp/store.db", "names a host"),
        ("local:///tmp/x.db?retentoin=5", "unknown parameter 'retentoin'"),
        ("local:///tmp/x.db?retention=never", "should be a number"),
    ):
        with pytest.raises(ConfigError, match=words):
            from_url(ReporterUrl.parse(text), IDENTITY, Settings())


def test_the_route_and_method_of_a_timeline_can_be_chosen_apart(
    reporter: LocalReporter, path: Path
) -> None:
    at_s = 1_700_000_000
    rows = [
        request_row("/a", 200, [0.1]),
        request_row("/a", 200, [0.1] * 2, method="POST"),
        request_row("/b", 200, [0.1] * 4),
        request_row(None, 404, [0.1] * 8),
    ]
    reporter.report(snapshot(requests=rows, at_s=at_s))
    assert reporter.flush(5)
    reader = read(path)

    def count(route: str | None, method: str | None) -> int:
        return sum(b.count for b in reader.timeline(at_s, at_s + 10, 10, route, method))

    assert (count(None, None), count("/a", None), count("/a", "POST")) == (15, 3, 2)
    assert count(None, "GET") == 8
    reader.close()


def test_gauges_of_pipelines_are_not_added_up(reporter: LocalReporter, path: Path) -> None:
    for number in (1, 2):
        points = [Point("last", 100.0 * number, "gauge"), Point("n", number, "counter")]
        identity = Identity(ApplicationTags("a", "s"), "h")
        reporter.report(snapshot(self_points=points, identity=identity))
    assert reporter.flush(5)
    reader = read(path)
    assert reader.self_points() == {"last": 200, "n": 3}
    reader.close()


def test_spans_sent_ahead_leave_requests_in_flight_as_they_were(
    reporter: LocalReporter, path: Path
) -> None:
    running = [InFlight("flask", "/a", "a", "GET", 3)]
    reporter.report(snapshot(in_flight=running, total_in_flight={"flask": 3}))
    reporter.report(snapshot(spans=[span("s", 1)]))
    assert reporter.flush(5)
    reader = read(path)
    assert reader.in_flight() == (3, [("/a", "GET", 3)])
    reader.close()


def test_requests_in_flight_of_a_dead_process_expire(reporter: LocalReporter, path: Path) -> None:
    running = [InFlight("flask", "/a", "a", "GET", 3)]
    reporter.report(
        snapshot(in_flight=running, total_in_flight={"flask": 3}, at_s=time.time() - 30)
    )
    assert reporter.flush(5)
    reader = read(path)
    assert reader.in_flight() == (0, [])
    assert len(reader.processes()) == 1
    reader.close()


def test_old_figures_are_deleted(path: Path) -> None:
    reporter = LocalReporter(path, retention_s=3600)
    now = time.time()
    reporter.report(snapshot(requests=[request_row("/old", 200, [0.1])], at_s=now - 7200))
    for _ in range(60):
        reporter.report(snapshot(requests=[request_row("/new", 200, [0.1])], at_s=now))
        assert reporter.flush(5)
    reader = read(path)
    assert [row.route for row in reader.summary()] == ["/new"]
    reader.close()
    reporter.close(5)


@pytest.mark.slow
def test_the_file_stays_within_its_bound(path: Path) -> None:
    reporter = LocalReporter(path, max_bytes=1_000_000)
    now = time.time() - 3000
    values = [0.0001 * 1.02**i for i in range(300)]
    rows = [request_row(f"/r{n}", 200, values) for n in range(5)]
    for number in range(240):
        reporter.report(snapshot(requests=rows, at_s=now + 10 * number))
        assert reporter.flush(10)
    reporter.close(5)
    reader = read(path)
    assert 0 < sum(row.count for row in reader.summary()) < 240 * 5 * 300
    reader.close()
    assert path.stat().st_size < 4_000_000


def test_a_full_queue_refuses_and_a_closed_reporter_takes_nothing(path: Path) -> None:
    reporter = LocalReporter(path)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    taken = [reporter.report(snapshot(requests=[request_row("/a", 200, [1])])) for _ in range(70)]
    lock.execute("ROLLBACK")
    lock.close()
    assert taken[0] == 1
    assert taken[-1] == 0
    assert reporter.flush(10)
    reporter.close(5)
    reporter.close(5)
    assert reporter.report(snapshot(requests=[request_row("/a", 200, [1])])) == 0
    reader = read(path)
    assert reader.summary()[0].count == sum(taken)
    reader.close()


@pytest.mark.slow
@given(text=st.text(alphabet=st.characters(), max_size=50))
def test_any_text_can_be_stored(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        reporter = LocalReporter(path)
        reporter.report(
            snapshot(
                requests=[request_row("/" + text, 200, [0.1])],
                spans=[span(text, 1)],
                unmatched=[UnmatchedPath(text, 1)],
            )
        )
        assert reporter.flush(5)
        reporter.close(5)
        reader = read(path)
        stored = text.encode("utf-8", "backslashreplace").decode()
        assert reader.summary()[0].route == "/" + stored
        assert reader.slowest_traces()[0].name == stored
        assert reader.unmatched() == [(stored, 1)]
        reader.close()
