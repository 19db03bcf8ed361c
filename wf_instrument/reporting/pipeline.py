"""The pipeline: one background thread that drains producers and feeds reporters.

Threads: any thread may call any method. The thread named `wf-instrument-pipeline`, started by
    the first request of a process, ticks; `flush` and `shutdown` tick in the caller's thread.
Locks, in order: `_tick_lock` makes ticks follow one another and is held while reporters are
    called, which by contract never block; `_state` guards the thread and wakes it.
Fork: the child starts without a thread, with new locks and nothing pending; its first request
    starts its own thread.
Loss: what a reporter did not take is counted in `refused`, by reporter; what it raised, in
    `failures`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, caught, errors_caught
from wf_instrument.reporting.merge import merge_snapshots
from wf_instrument.reporting.snapshot import Point, Snapshot, SnapshotDraft
from wf_instrument.suppression import suppressed
from wf_instrument.worker_slot import taken_slot

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter import Producer, Reporter

__all__ = ["Pipeline"]

log = logging.getLogger(__name__)

#: Two early wake-ups are at least this far apart, so that pressure cannot spin the thread.
_MIN_TICK_S: Final = 0.05


class _Slot:
    """One reporter, and what waits for its next turn."""

    def __init__(self, name: str, reporter: Reporter, interval_s: float) -> None:
        self.name = name
        self.reporter = reporter
        self.interval_s = interval_s
        self.pending: Snapshot | None = None
        self.due_s = 0.0  # Unix time of the next turn; 0 before the first snapshot
        self.refused = 0
        self.failures = 0
        self.last_success_s = 0.0


class Pipeline:
    """Drains producers every `tick_s` and hands the snapshot to every reporter in turn.

    Attributes:
        is_running: Whether this process' thread was started; read by the request path.
        owner: What is kept alive as long as the thread runs.
    """

    owner: object | None = None

    def __init__(self, identity: Identity, tick_s: float = 1.0) -> None:
        self.identity = identity
        self.is_running = False
        self._tick_s = tick_s
        self._producers: list[Producer] = []
        self._slots: list[_Slot] = []
        self._closed = False
        self._log = RateLimitedLog(log)
        self._spent_s = 0.0
        self._ticks = 0
        self._has_slot = False
        self._reset()
        reset_after_fork(self._in_child)

    def _reset(self) -> None:
        self._tick_lock = threading.RLock()
        self._state = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wake_requested = False
        self._started_ns = time.time_ns()

    def _in_child(self) -> None:
        self._reset()
        self.is_running = False
        self.identity = self.identity.in_child()
        self._has_slot = False
        for slot in self._slots:
            slot.pending = None
            slot.due_s = 0.0

    def add_producer(self, producer: Producer) -> None:
        """Drain `producer` from the next tick on."""
        self._producers.append(producer)

    def add_reporter(self, name: str, reporter: Reporter, interval_s: float | None = None) -> None:
        """Report to `reporter` from the next tick on.

        Args:
            name: How the reporter is called in logs and counters; must hold no secret.
            reporter: Where snapshots go.
            interval_s: Seconds between two reports; the reporter's own default when None.
        """
        interval = reporter.default_interval_s if interval_s is None else interval_s
        self._slots.append(_Slot(name, reporter, interval))

    @property
    def reporters(self) -> list[tuple[str, Reporter]]:
        """The reporters and their names, in the order they were added."""
        return [(slot.name, slot.reporter) for slot in self._slots]

    def start(self) -> None:
        """Start this process' thread unless it runs; harmless when called often."""
        with self._state:
            if self._thread is not None or self._closed:
                # Nothing to start: say so to the request path, which would ask every time.
                self.is_running = True
                return
            self._started_ns = time.time_ns()
            thread = threading.Thread(
                target=self._run, args=(self._state,), name="wf-instrument-pipeline", daemon=True
            )
            self._thread = thread
            self.is_running = True
        try:
            thread.start()
        except RuntimeError as error:  # the interpreter is shutting down: no thread can start
            caught("pipeline.start", error)

    def wake(self) -> None:
        """Ask for a tick ahead of time, because a buffer fills up."""
        # No lock: a lost race costs at most one early tick, and this is called by requests.
        if not self._wake_requested:
            self._wake_requested = True
            with self._state:
                self._state.notify_all()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Drain now, hand everything to the reporters and wait until it has left.

        Returns:
            False when a reporter did not finish within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        self._tick(force=True)
        done = True
        for slot in self._slots:
            try:
                with suppressed():
                    done = slot.reporter.flush(max(0.0, deadline - time.monotonic())) and done
            except Exception as error:  # noqa: BLE001 - the border to reporters of others
                done = self._failed(slot, error)
        return done

    @property
    def is_closed(self) -> bool:
        """Whether `shutdown` was called."""
        return self._closed

    def shutdown(self, timeout_s: float = 5.0) -> None:
        """Drain, report, close the reporters and stop the thread; a second call does nothing."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            thread, self._thread = self._thread, None
            self._state.notify_all()
        deadline = time.monotonic() + timeout_s
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
        self._tick(force=True, is_last=True)
        for slot in self._slots:
            try:
                with suppressed():
                    slot.reporter.close(max(0.0, deadline - time.monotonic()))
            except Exception as error:  # noqa: BLE001 - the border to reporters of others
                self._failed(slot, error)

    def _run(self, state: threading.Condition) -> None:
        last_s = time.monotonic()
        while True:
            with state:
                if self._closed or state is not self._state:
                    return
                if not self._wake_requested:
                    state.wait(self._until_next_tick())
                rest_s = last_s + _MIN_TICK_S - time.monotonic()
                if state.wait_for(lambda: self._closed, max(rest_s, 0.0)):
                    return
                self._wake_requested = False
            last_s = time.monotonic()
            try:
                self._tick(force=False)
            except Exception as error:  # noqa: BLE001 - the border to reporters of others
                caught("pipeline.tick", error)

    def _until_next_tick(self) -> float:
        """Seconds until the wall clock is at a multiple of the tick.

        Aligned ticks end intervals on minute boundaries, where backends keep minute bins.
        """
        now = time.time()
        return max((math.floor(now / self._tick_s) + 1) * self._tick_s - now, 0.001)

    def _tick(self, *, force: bool, is_last: bool = False) -> None:
        # Reporters of others may use clients that are instrumented.
        with self._tick_lock, suppressed():
            begun = time.perf_counter()
            if not self._has_slot:
                # Not earlier: a server's parent process that reports nothing needs none.
                self._has_slot = True
                self._take_slot()
            snapshot = self._drain(is_last=is_last)
            for slot in self._slots:
                self._feed(slot, snapshot, force=force)
            self._ticks += 1
            self._spent_s += time.perf_counter() - begun

    def _take_slot(self) -> None:
        """Find out which of the workers of one host this process is. Caller holds `_tick_lock`."""
        tags = self.identity.tags
        slot = taken_slot(tags.application, tags.service, self.identity.source)
        self.identity = replace(self.identity, worker_slot=slot)

    def _drain(self, *, is_last: bool) -> Snapshot:
        draft = SnapshotDraft(is_last=is_last)
        for producer in self._producers:
            try:
                producer.drain_into(draft)
            except Exception as error:  # noqa: BLE001 - the border to reporters of others
                caught("pipeline.drain", error)
        draft.self_points += self._self_points()
        started_ns, self._started_ns = self._started_ns, time.time_ns()
        return draft.freeze(self.identity, started_ns, max(self._started_ns, started_ns))

    def _feed(self, slot: _Slot, snapshot: Snapshot, *, force: bool) -> None:
        """Add the snapshot to what waits for the reporter; report when its turn has come."""
        started_s = snapshot.started_ns / 1e9
        # A turn further away than an interval was set before the clock was set back.
        if slot.due_s == 0.0 or slot.due_s > started_s + slot.interval_s:
            slot.due_s = _next_turn(started_s, slot.interval_s)
        pending = snapshot if slot.pending is None else merge_snapshots(slot.pending, snapshot)
        ended_s = snapshot.ended_ns / 1e9
        if force or ended_s >= slot.due_s:
            slot.pending = None
            slot.due_s = _next_turn(ended_s, slot.interval_s)
            self._report(slot, pending)
        elif pending.spans:
            # Spans gain nothing by waiting, and would fill the memory of a busy process.
            slot.pending = replace(pending, spans=())
            self._report(slot, _spans_only(pending))
        else:
            slot.pending = pending

    def _report(self, slot: _Slot, snapshot: Snapshot) -> None:
        offered = snapshot.data_count
        try:
            taken = slot.reporter.report(snapshot)
        except Exception as error:  # noqa: BLE001 - the border to reporters of others
            slot.refused += offered
            self._failed(slot, error)
            return
        slot.last_success_s = time.time()
        if taken < offered:
            slot.refused += offered - taken
            self._log.warning(slot.name, "reporter %s refused %d data", slot.name, offered - taken)

    def _failed(self, slot: _Slot, error: Exception) -> bool:
        slot.failures += 1
        caught(f"reporter {slot.name}", error)
        return False

    def _self_points(self) -> list[Point]:
        points = [
            Point("wf_instrument.pipeline.ticks", self._ticks, "counter"),
            Point("wf_instrument.pipeline.seconds", self._spent_s, "counter"),
            Point("wf_instrument.errors_caught", sum(errors_caught.values()), "counter"),
        ]
        for slot in self._slots:
            tags = (("reporter", slot.name),)
            points += [
                Point("wf_instrument.reporter.refused", slot.refused, "counter", tags),
                Point("wf_instrument.reporter.failures", slot.failures, "counter", tags),
                Point("wf_instrument.reporter.last_success", slot.last_success_s, "gauge", tags),
            ]
        return points


def _next_turn(now_s: float, interval_s: float) -> float:
    # A thread wakes a little after the boundary it waited for, never before.
    return (math.floor(now_s / interval_s) + 1) * interval_s


def _spans_only(snapshot: Snapshot) -> Snapshot:
    return replace(
        snapshot,
        requests=(),
        websockets=(),
        in_flight=(),
        total_in_flight=(),
        running=(),
        unmatched=(),
        points=(),
        distributions=(),
        self_points=(),
    )
