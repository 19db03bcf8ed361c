"""The pipeline: what is recorded reaches every reporter once, whatever the others do."""

from __future__ import annotations

import os
import threading
import time

import pytest

from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.reporting.pipeline import Pipeline
from wf_instrument.reporting.snapshot import Point, Snapshot, SnapshotDraft
from wf_instrument.testing import RecordingReporter
from wf_instrument.tracing.span_data import SpanData

IDENTITY = Identity(ApplicationTags("app", "service"), "host-1")


class Deltas:
    """A producer whose every drain brings one delta of 1."""

    def __init__(self) -> None:
        self.drained = 0

    def drain_into(self, draft: SnapshotDraft) -> None:
        self.drained += 1
        draft.points.append(Point("jobs", 1, "delta"))


class Spans:
    def drain_into(self, draft: SnapshotDraft) -> None:
        draft.spans.append(SpanData(name="op", trace_id=1, span_id=2, start_ns=0, duration_ns=1))


class Failing(RecordingReporter):
    def report(self, snapshot: Snapshot) -> int:
        raise RuntimeError("broken on purpose")


class Refusing(RecordingReporter):
    def report(self, snapshot: Snapshot) -> int:
        return 0


def jobs(reporter: RecordingReporter) -> float:
    return sum(point.value for point in reporter.snapshot.points)


def self_point(reporter: RecordingReporter, name: str, of: str) -> float:
    return next(
        point.value
        for point in reporter.snapshot.self_points
        if point.name == name and ("reporter", of) in point.tags
    )


def test_every_tick_reaches_every_reporter() -> None:
    pipeline, first, second = Pipeline(IDENTITY, 0.05), RecordingReporter(), RecordingReporter()
    pipeline.add_producer(Deltas())
    pipeline.add_reporter("first", first)
    pipeline.add_reporter("second", second)
    pipeline.start()
    assert first.wait_until(lambda r: bool(r._snapshot) and jobs(r) >= 3, 10)  # noqa: SLF001
    pipeline.shutdown(5)
    assert jobs(first) == jobs(second)
    assert first.is_closed


def test_a_longer_interval_adds_snapshots_up_and_flush_does_not_wait_for_it() -> None:
    pipeline, slow, producer = Pipeline(IDENTITY, 0.05), RecordingReporter(), Deltas()
    pipeline.add_producer(producer)
    pipeline.add_reporter("slow", slow, interval_s=3600)
    for _ in range(3):
        pipeline._tick(force=False)  # noqa: SLF001 - something is pending at the fork
    assert pipeline.flush(5)
    assert jobs(slow) == producer.drained == 4


def test_a_clock_set_back_holds_up_no_reporter_until_it_has_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 1_700_000_000
    monkeypatch.setattr("time.time_ns", lambda: now_s * 10**9)
    pipeline, minutely = Pipeline(IDENTITY), RecordingReporter()
    pipeline.add_producer(Deltas())
    pipeline.add_reporter("minutely", minutely, interval_s=60)
    for _ in range(61):
        now_s += 1
        pipeline._tick(force=False)  # noqa: SLF001 - a second passes
    assert jobs(minutely) > 0
    now_s -= 3600
    before = jobs(minutely)
    for _ in range(122):
        now_s += 1
        pipeline._tick(force=False)  # noqa: SLF001 - as above
    assert jobs(minutely) >= before + 60
    pipeline.shutdown(5)
    assert jobs(minutely) == 61 + 122 + 1


def test_spans_do_not_wait_for_a_long_interval() -> None:
    pipeline, slow = Pipeline(IDENTITY), RecordingReporter()
    pipeline.add_producer(Spans())
    pipeline.add_producer(Deltas())
    pipeline.add_reporter("slow", slow, interval_s=3600)
    pipeline._tick(force=False)  # noqa: SLF001 - something is pending at the fork
    assert [span.name for span in slow.spans] == ["op"]
    assert slow.snapshot.points == ()


@pytest.mark.expects_caught
def test_a_failing_reporter_harms_no_other_and_its_loss_is_counted() -> None:
    pipeline, good = Pipeline(IDENTITY), RecordingReporter()
    pipeline.add_producer(Deltas())
    pipeline.add_reporter("bad", Failing())
    pipeline.add_reporter("good", good)
    for _ in range(3):
        pipeline.flush(5)
    assert jobs(good) == 3
    assert self_point(good, "wf_instrument.reporter.failures", "bad") == 2
    assert self_point(good, "wf_instrument.reporter.refused", "bad") == 2


def test_what_a_reporter_refuses_is_counted() -> None:
    pipeline, good = Pipeline(IDENTITY), RecordingReporter()
    pipeline.add_producer(Deltas())
    pipeline.add_reporter("full", Refusing())
    pipeline.add_reporter("good", good)
    pipeline.flush(5)
    pipeline.flush(5)
    assert self_point(good, "wf_instrument.reporter.refused", "full") == 1


@pytest.mark.expects_caught
def test_a_failing_producer_harms_no_other() -> None:
    class Broken:
        def drain_into(self, draft: SnapshotDraft) -> None:
            raise RuntimeError("broken on purpose")

    pipeline, good = Pipeline(IDENTITY), RecordingReporter()
    pipeline.add_producer(Broken())
    pipeline.add_producer(Deltas())
    pipeline.add_reporter("good", good)
    pipeline.flush(5)
    assert jobs(good) == 1


def test_wake_brings_a_tick_before_its_time() -> None:
    pipeline, reporter = Pipeline(IDENTITY, 60), RecordingReporter()
    pipeline.add_producer(Deltas())
    pipeline.add_reporter("eager", reporter, interval_s=0.001)
    pipeline.start()
    pipeline.wake()
    assert reporter.wait_until(lambda r: bool(r._snapshot), 10)  # noqa: SLF001
    pipeline.shutdown(5)


def test_shutdown_twice_closes_once_and_starts_no_thread_again() -> None:
    before = set(threading.enumerate())
    pipeline = Pipeline(IDENTITY, 0.05)
    pipeline.start()
    assert [t.name for t in set(threading.enumerate()) - before] == ["wf-instrument-pipeline"]
    pipeline.shutdown(5)
    pipeline.shutdown(5)
    pipeline.start()
    assert not set(threading.enumerate()) - before


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_reports_only_its_own_and_with_its_own_thread() -> None:
    pipeline, reporter = Pipeline(IDENTITY, 0.05), RecordingReporter()
    producer = Deltas()
    pipeline.add_reporter("one", reporter, interval_s=3600)
    pipeline.add_producer(producer)
    pipeline.start()
    pipeline._tick(force=False)  # noqa: SLF001 - something is pending at the fork
    drained_by_parent = producer.drained
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            running_after_fork = pipeline.is_running
            pipeline.start()
            deadline = time.monotonic() + 10
            while producer.drained < drained_by_parent + 2 and time.monotonic() < deadline:
                os.sched_yield()
            pipeline.flush(5)
            own = producer.drained - drained_by_parent
            is_own = (
                abs(jobs(reporter) - own) <= 1 and reporter.snapshot.identity.pid == os.getpid()
            )
            code = 0 if is_own and not running_after_fork and own >= 2 else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    pipeline.shutdown(5)
    assert os.waitstatus_to_exitcode(status) == 0
