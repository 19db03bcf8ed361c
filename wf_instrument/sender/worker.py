"""The thread that delivers: takes what is ready, in order, and sees to what comes back.

Threads: `wf-instrument-<name>`; where no thread can start any more, the caller of `flush_here`.
Locks: that of the lanes, never while on the network or the disk.
Fork: made anew in the child, which starts its own.
Loss: see `batch_sender.py`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.sender.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wf_instrument.errors import SendError
    from wf_instrument.sender.delivery import Delivery, Undelivered
    from wf_instrument.sender.lane import Flight, Lane
    from wf_instrument.sender.lanes import Lanes
    from wf_instrument.sender.spool import ClaimedBatch
    from wf_instrument.sender.spooler import Spooler

__all__ = ["Worker"]

log = logging.getLogger(__name__)

#: After a mistake of ours in the loop itself.
_PAUSE_S: Final = 1.0
#: Between two notes in a file of the spool of how far its delivery is: a process that is killed
#: delivers again what it delivered since.
_NOTE_INTERVAL_S: Final = 1.0


class Worker:
    """Delivers the lanes of one sender.

    Args:
        lanes: The sender's.
        delivery: Posts a batch.
        spooler: The sender's.
        flush_interval_s: Seconds between two deliveries.
        on_round: Called once an interval.
    """

    def __init__(
        self,
        lanes: Lanes,
        delivery: Delivery,
        spooler: Spooler,
        flush_interval_s: float,
        on_round: Callable[[], None] | None = None,
    ) -> None:
        self._lanes = lanes
        self._delivery = delivery
        self._spooler = spooler
        self._flush_interval_s = flush_interval_s
        self._on_round = on_round
        self._thread: threading.Thread | None = None
        self._log = RateLimitedLog(log)

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_here(self) -> bool:
        """Whether the caller is the thread."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Start the thread, unless it runs. Raises RuntimeError when none can start any more."""
        if self.is_running:
            return
        thread = threading.Thread(
            target=self._run, name=f"wf-instrument-{self._delivery.name}", daemon=True
        )
        thread.start()
        self._thread = thread

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, once the lanes are closed."""
        if self._thread is not None and not self.is_here:
            self._thread.join(timeout_s)

    def flush_here(
        self, goals: Mapping[str, int], limits: Mapping[str, int], deadline: float
    ) -> None:
        """Flush in the caller's thread; see `Lanes.is_flushed`."""
        while True:
            self._deliver_ready(is_forced=True, is_due=True, deadline=deadline)
            with self._lanes.state:
                now_s = time.monotonic()
                if self._lanes.is_flushed(goals, limits) or now_s >= deadline:
                    return
                self._lanes.state.wait(max(0.0, min(self._next_try_s(), deadline) - now_s))

    def _run(self) -> None:
        lanes = self._lanes
        next_round_s = time.monotonic() + self._flush_interval_s
        while True:
            with lanes.state:
                self._wait(next_round_s)
                if lanes.is_closed:
                    return
                is_forced = lanes.is_flush_wanted or self._was_told_to_wait_until_now()
                lanes.is_flush_wanted = False
                lanes.is_roused = False
            is_due = is_forced or time.monotonic() >= next_round_s
            if is_due:
                next_round_s = time.monotonic() + self._flush_interval_s
            try:
                if is_due:
                    lanes.look_into_spools()
                    self._begin_round()
                self._deliver_ready(is_forced=is_forced, is_due=is_due, deadline=None)
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the worker
                caught(f"sender {self._delivery.name}", error)
                with lanes.state:
                    lanes.state.wait_for(lambda: lanes.is_closed, _PAUSE_S)

    def _begin_round(self) -> None:
        if self._on_round is None:
            return
        try:
            self._on_round()
        except Exception as error:  # noqa: BLE001 - what it adds must not hold up the others' data
            caught(f"sender {self._delivery.name} round", error)

    def _wait(self, next_round_s: float) -> None:
        """Caller holds the lock. Return when it is time, or when a batch is full."""
        lanes = self._lanes
        while not (
            lanes.is_closed or lanes.is_flush_wanted or any(lane.is_pressed for lane in lanes)
        ):
            rest_s = min(next_round_s, self._next_try_s()) - time.monotonic()
            if rest_s <= 0:
                return
            lanes.is_roused = False
            lanes.state.wait(rest_s)

    def _next_try_s(self) -> float:
        """Caller holds the lock. Return the monotonic time of the next try after a failure."""
        is_flushing = self._lanes.flushing > 0
        return min(
            (
                lane.told_until_s if is_flushing and lane.told_until_s else lane.not_before_s
                for lane in self._lanes
                if lane.is_retrying
            ),
            default=math.inf,
        )

    def _was_told_to_wait_until_now(self) -> bool:
        """Caller holds the lock. Whether a flush waits for nothing but a pause that is over."""
        return self._lanes.flushing > 0 and any(
            lane.is_retrying and 0 < lane.told_until_s <= time.monotonic() for lane in self._lanes
        )

    def _deliver_ready(self, *, is_forced: bool, is_due: bool, deadline: float | None) -> None:
        """Deliver the kinds whose turn it is, each until what waited at first has left."""
        for lane in self._lanes:
            goal = lane.buffer.accepted
            undelivered: Undelivered | None = None
            while undelivered is None:
                with self._lanes.lock:
                    is_late = deadline is not None and time.monotonic() >= deadline
                    if self._lanes.is_closed or is_late:
                        return
                    if not lane.is_ready(is_forced=is_forced, is_due=is_due):
                        break
                claimed = self._claim(lane)
                if claimed is not None:
                    undelivered = self._deliver_claimed(lane, claimed, deadline)
                    continue
                with self._lanes.lock:
                    if lane.buffer.settled >= goal and not lane.is_pressed:
                        break
                    flight = lane.take_off()
                if flight is None:
                    break
                undelivered = self._deliver_flight(lane, flight, deadline)
            if undelivered is not None and undelivered.is_nobody_there:
                is_forced = False  # nobody is there: the others need not run into the same wall

    def _claim(self, lane: Lane) -> ClaimedBatch | None:
        """Return the oldest batch of the spool, which is older than what is in memory."""
        while lane.spool is not None and lane.has_spooled:
            writes = lane.spool_writes
            claimed = lane.spool.claim()
            if claimed is not None:
                return claimed
            with self._lanes.state:
                if lane.spool_writes == writes:  # else the spooler wrote after the look
                    lane.has_spooled = False
                    self._lanes.state.notify_all()
        return None

    def _deliver_claimed(
        self, lane: Lane, claimed: ClaimedBatch, deadline: float | None
    ) -> Undelivered | None:
        try:
            rest, undelivered = self._deliver_parts(lane, claimed, deadline)
            with self._telling_disk_errors():
                if rest.count:
                    claimed.keep(rest)
                else:
                    claimed.remove()
        finally:
            claimed.let_go()
        if undelivered is not None:
            self._note_outcome(lane, undelivered)
        return undelivered

    def _deliver_parts(
        self, lane: Lane, claimed: ClaimedBatch, deadline: float | None
    ) -> tuple[Batch, Undelivered | None]:
        """Deliver a file in batches of this sender's size; return what is left of it, and why."""

        def on_settled(part: Batch, is_delivered: bool, rest: Batch) -> None:
            with self._lanes.lock:
                lane.counts.unspooled += len(part)
                lane.count_settled(len(part), is_delivered=is_delivered)

        parts = claimed.batch.parts(lane.buffer.batch_size, lane.buffer.batch_bytes)
        note_at_s = time.monotonic() + _NOTE_INTERVAL_S
        for index, part in enumerate(parts):
            now_s = time.monotonic()
            if index and (self._lanes.is_closed or (deadline is not None and now_s >= deadline)):
                return Batch.joined(parts[index:]), None
            if index and now_s >= note_at_s:
                with self._telling_disk_errors():
                    claimed.shrink(Batch.joined(parts[index:]))
                note_at_s = time.monotonic() + _NOTE_INTERVAL_S
            undelivered = self._delivery.run(
                lane, part, deadline, on_settled, self._error_counter(lane)
            )
            if undelivered is not None:
                return Batch.joined([undelivered.rest, *parts[index + 1 :]]), undelivered
            self._note_outcome(lane, None)
        return Batch(()), None

    @contextmanager
    def _telling_disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._log.warning(
                "spool", "%s: the spool cannot be written: %s", self._delivery.name, error.strerror
            )

    def _deliver_flight(
        self, lane: Lane, flight: Flight, deadline: float | None
    ) -> Undelivered | None:
        def on_settled(part: Batch, is_delivered: bool, rest: Batch) -> None:
            with self._lanes.state:
                if lane.settle(flight, part, rest):
                    lane.count_settled(len(part), is_delivered=is_delivered)
                    self._lanes.state.notify_all()

        try:
            undelivered = self._delivery.run(
                lane, flight.rest, deadline, on_settled, self._error_counter(lane)
            )
        finally:
            self._spooler.land(lane, flight)
        self._note_outcome(lane, undelivered)
        return undelivered

    def _note_outcome(self, lane: Lane, undelivered: Undelivered | None) -> None:
        with self._lanes.state:
            if undelivered is None:
                lane.succeeded()
            elif undelivered.is_nobody_there:
                for other in self._lanes:
                    if other is lane or not other.is_empty:
                        other.failed(undelivered.error)
            else:
                lane.failed(undelivered.error)
                lane.faulty_tries += undelivered.is_fault
            self._lanes.state.notify_all()
        if undelivered is not None:
            self._delivery.tell_waiting(lane, undelivered)

    def _error_counter(self, lane: Lane) -> Callable[[SendError], None]:
        def count(error: SendError) -> None:
            with self._lanes.lock:
                lane.count_error(error)

        return count
