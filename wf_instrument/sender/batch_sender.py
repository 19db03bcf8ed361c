"""Batching sender: any thread puts, one worker posts, one spooler writes what cannot be posted.

Threads: producers call `put`, which waits only when told to (`SenderLimits.block_s`). The worker,
    started by the first `put` of a process or by what an earlier one left in the spool, delivers.
    Both threads wait on the lanes' condition and never sleep. Where no thread can start any more
    (from Python 3.12 on, while the interpreter ends), `flush` and `close` deliver themselves.
Locks: one, that of the lanes; nothing is locked while on the network or the disk.
Fork: the child starts with empty buffers, a new lock and no threads.
Loss: a full buffer refuses the newest datum and counts it as dropped; a datum the receiver calls
    bad is dropped and counted as rejected; a batch that fails otherwise keeps its place, or goes to
    the spool, of which the oldest are dropped and counted beyond its bound. What neither leaves nor
    can be written to the spool by the end of `close` or of the interpreter is dropped and counted.
"""

from __future__ import annotations

import logging
import time
import weakref
from typing import TYPE_CHECKING, Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog
from wf_instrument.process_exit import at_exit
from wf_instrument.sender.bounded_buffer import BoundedBuffer
from wf_instrument.sender.delivery import Delivery
from wf_instrument.sender.lane import Lane
from wf_instrument.sender.lanes import Lanes
from wf_instrument.sender.limits import SenderLimits
from wf_instrument.sender.spooler import Spooler
from wf_instrument.sender.worker import Worker
from wf_instrument.ticker import end_all_tickers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from wf_instrument.errors import SendError
    from wf_instrument.sender.batch import Batch
    from wf_instrument.sender.counts import KindCounts
    from wf_instrument.sender.delivery import Deliver
    from wf_instrument.sender.spool import Spool

__all__ = ["BatchSender"]

log = logging.getLogger(__name__)

EXIT_TIMEOUT_S: Final = 5.0
#: So many failures in a row, and a flush waits no longer.
_FLUSH_ATTEMPTS: Final = 2
_NO_LIMIT: Final = 1 << 62
#: Data queued under one lock: so short that no other thread notices.
_AT_ONCE: Final = 100
#: Of the time to close, for writing to the spool what was not delivered; never more than half.
_WRITE_RESERVE_S: Final = 2.0
#: For writing to the spool, however little time there is to close.
_LEAST_WRITE_S: Final = 0.5
#: For calls of tickers that are under way when the interpreter ends.
_TICKERS_TIMEOUT_S: Final = 1.0


class BatchSender:
    """Delivers data of several kinds, in batches, from bounded buffers.

    A kind that the receiver refuses does not hold up the others.

    Args:
        name: For log lines and the threads' names; must hold no secret.
        kinds: The kinds of data.
        deliver: Posts a batch.
        limits: See there.
        batch_sizes: Other batch sizes, by kind.
        spool: Makes the spool of a kind; None keeps everything in memory.
        on_round: Called by the worker once an interval, before it delivers; may `put`.
    """

    def __init__(
        self,
        name: str,
        kinds: Iterable[str],
        deliver: Deliver,
        limits: SenderLimits | None = None,
        *,
        batch_sizes: Mapping[str, int] | None = None,
        spool: Callable[[str], Spool] | None = None,
        on_round: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._limits = limits if limits is not None else SenderLimits()
        self._batch_sizes = dict.fromkeys(kinds, self._limits.batch_size) | dict(batch_sizes or {})
        self._spools = {} if spool is None else {kind: spool(kind) for kind in self._batch_sizes}
        self._delivery = Delivery(name, deliver)
        self._on_round = on_round
        self._block_s = self._limits.block_s
        self._log = RateLimitedLog(log)
        self._reset()
        reset_after_fork(self._reset)
        _flushed_at_exit.add(self)
        if self._lanes.look_into_spools():
            with self._lanes.lock:
                self._start()

    def _reset(self) -> None:
        was_closed = self.is_shut if hasattr(self, "_lanes") else False
        self._lanes = Lanes({k: self._lane(k, size) for k, size in self._batch_sizes.items()})
        self._lanes.is_shut = self._lanes.is_closed = was_closed
        # Also as attributes of their own: the way of every datum.
        self._lock = self._lanes.lock
        self._by_kind = self._lanes.by_kind
        interval_s = self._limits.flush_interval_s
        self._spooler = Spooler(self.name, self._lanes, interval_s)
        self._worker = Worker(
            self._lanes, self._delivery, self._spooler, interval_s, self._on_round
        )
        self._is_started = False

    def _lane(self, kind: str, batch_size: int) -> Lane:
        limits = self._limits
        buffer = BoundedBuffer(
            limits.queue_size, limits.queue_bytes, batch_size, limits.batch_bytes
        )
        return Lane(kind, buffer, self._spools.get(kind), limits.first_pause_s)

    @property
    def counts(self) -> dict[str, KindCounts]:
        """What became of the data, by kind."""
        with self._lock:
            for lane in self._lanes:
                lane.counts.valid = lane.buffer.accepted + lane.sent_past
            return {lane.kind: lane.counts for lane in self._lanes}

    @property
    def is_closed(self) -> bool:
        """Whether `close` delivered what it could, and nothing is delivered any more."""
        return self._lanes.is_closed

    @property
    def is_shut(self) -> bool:
        """Whether nothing is taken any more."""
        return self._lanes.is_shut

    def put(self, kind: str, datum: str | bytes) -> bool:
        """Queue one datum; False when the buffer is full or the sender closed.

        Data are texts, or bytes, as all of their kind. Waits only in a full buffer, and only when
        the limits say so.
        """
        with self._lock:
            lane = self._by_kind[kind]
            waiting = 0 if self._lanes.is_shut else lane.buffer.offer(datum)
            if not waiting and self._block_s:
                waiting = self._wait_for_room(lane, datum)
            if not waiting:
                lane.counts.dropped += 1
                lane.counts.refused += 1
            elif (
                waiting >= lane.wake_at
                or lane.buffer.byte_size >= lane.wake_bytes
                or not self._is_started
            ):
                self._rouse(lane)
        if waiting:
            return True
        # Without the lock: a log handler of the application may hold its own, and put.
        self._tell_refused(lane)
        return False

    def put_all(self, kind: str, data: Sequence[str]) -> list[int]:
        """Queue data in their order, as `put` would one by one, at a fraction of the cost.

        Returns:
            The positions of those that were refused.
        """
        refused: list[int] = []
        at = 0
        while at < len(data):
            taken = self._put_some(kind, data[at : at + _AT_ONCE])
            at += taken
            if taken < _AT_ONCE and at < len(data):
                # What found no room waits for it, or is refused and counted.
                if not self.put(kind, data[at]):
                    refused.append(at)
                at += 1
        return refused

    def wait_when_full(self, timeout_s: float) -> None:
        """Have `put` wait so long for room from now on; 0 has it refuse at once."""
        self._block_s = timeout_s

    def count_invalid(self, kind: str) -> None:
        """Count a datum of which no line could be made."""
        with self._lock:
            self._by_kind[kind].counts.invalid += 1

    def waiting(self, kind: str) -> int:
        """Return how many data of a kind wait in memory."""
        return len(self._by_kind[kind].buffer)

    def remaining_capacity(self, kind: str) -> int:
        """Return how many more data of a kind fit."""
        return self._limits.queue_size - self.waiting(kind)

    def failure_count(self) -> int:
        """Return how many deliveries failed, over all kinds."""
        return sum(lane.counts.errors for lane in self._lanes)

    def flush(self, timeout_s: float) -> bool:
        """Deliver what is queued by now, that of the spool too, without regard to the interval.

        Returns:
            Whether it all left: not within `timeout_s`, or not when the receiver keeps failing.
        """
        deadline = time.monotonic() + timeout_s
        lanes = self._lanes
        lanes.look_into_spools()
        with lanes.state:
            goals = {lane.kind: lane.buffer.accepted for lane in lanes}
            limits = {lane.kind: lane.failures + _FLUSH_ATTEMPTS for lane in lanes}
            if not self._worker.is_running and lanes.unsettled(goals):
                self._start()
            has_worker = self._worker.is_running
            if has_worker:
                lanes.is_flush_wanted = True
                lanes.flushing += 1
                try:
                    lanes.state.notify_all()
                    lanes.state.wait_for(lambda: lanes.is_flushed(goals, limits), timeout_s)
                finally:  # whom Ctrl-C interrupts flushes no more
                    lanes.flushing -= 1
        if not has_worker:
            self._worker.flush_here(goals, limits, deadline)
        with lanes.lock:
            return not lanes.unsettled(goals)

    def deliver_now(self, kind: str, data: Sequence[str] | Sequence[bytes]) -> None:
        """Post data in the caller's thread, past the buffer.

        Raises:
            SendError: The receiver could not be reached or refused them; bad data alone are
                left out and counted.
        """
        lane = self._by_kind[kind]
        sizes = lane.buffer.batch_size, lane.buffer.batch_bytes
        buffer = BoundedBuffer(_NO_LIMIT, _NO_LIMIT, *sizes)
        for datum in data:
            buffer.offer(datum)

        def on_settled(part: Batch, is_delivered: bool, rest: Batch) -> None:
            buffer.settle(part)
            with self._lock:
                lane.sent_past += len(part)
                lane.count_settled(len(part), is_delivered=is_delivered)

        def on_error(error: SendError) -> None:
            with self._lock:
                lane.count_error(error)

        while buffer.has_more:
            undelivered = self._delivery.run(lane, buffer.take(), None, on_settled, on_error)
            if undelivered is not None:
                with self._lock:
                    lane.counts.dropped += len(buffer)
                    lane.counts.refused += len(buffer)
                raise undelivered.error

    def leave_exit_to_owner(self) -> None:
        """Do not flush when the interpreter ends: the caller promises to close the sender then."""
        _flushed_at_exit.discard(self)

    def close(self, timeout_s: float) -> None:
        """Flush within `timeout_s`, then stop; what is left goes to the spool, or is dropped.

        What is put meanwhile is delivered too, until a first flush is over; from then on it is
        refused. With a spool, part of the time is kept for writing to it, half a second at the
        least. A second call does nothing.
        """
        if self.is_closed:
            return
        deadline = time.monotonic() + timeout_s
        flush_until = deadline - self.write_reserve_s(timeout_s)
        is_flushed = self.flush(flush_until - time.monotonic())
        with self._lanes.state:
            self._lanes.is_shut = True
            self._lanes.state.notify_all()
        if is_flushed:  # what was put since it began
            self.flush(flush_until - time.monotonic())
        with self._lanes.state:
            self._lanes.is_closed = True
            self._lanes.state.notify_all()
        self._worker.join(max(0.0, flush_until - time.monotonic()))
        deadline = max(deadline, time.monotonic() + _LEAST_WRITE_S)
        self._spooler.join(deadline - time.monotonic())
        self.give_up(deadline)

    def write_reserve_s(self, timeout_s: float) -> float:
        """Return how much of the time to close is for writing to the spool."""
        return min(_WRITE_RESERVE_S, timeout_s / 2) if self._spools else 0.0

    def give_up(self, deadline: float | None = None) -> None:
        """Put what waits into the spool, or drop and count it where there is none.

        Args:
            deadline: Monotonic time after which no write is begun; in half a second when None.
        """
        if deadline is None:
            deadline = time.monotonic() + _LEAST_WRITE_S
        for lane in self._lanes:
            left = self._spooler.rescue(lane, deadline)
            if left:
                log.warning("%s: %d %s left undelivered", self.name, left, lane.kind)

    def _put_some(self, kind: str, data: Sequence[str]) -> int:
        """Queue data as long as there is room; return how many were taken."""
        with self._lock:
            if self._lanes.is_shut:
                return 0
            lane = self._by_kind[kind]
            taken = waiting = 0
            for datum in data:
                now = lane.buffer.offer(datum)
                if not now:
                    break
                waiting = now
                taken += 1
            if taken and self._is_news(lane, waiting):
                self._rouse(lane)
        return taken

    def _is_news(self, lane: Lane, waiting: int) -> bool:
        """Caller holds the lock. Whether the threads have to hear of what waits."""
        is_much = waiting >= lane.wake_at or lane.buffer.byte_size >= lane.wake_bytes
        return is_much or not self._is_started

    def _wait_for_room(self, lane: Lane, datum: str | bytes) -> int:
        """Caller holds the lock. Return what waits once the datum is in, 0 when it is not."""
        if self._worker.is_here:
            return 0  # it would wait for itself
        if len(datum) > lane.buffer.capacity_bytes:
            return 0  # it would never fit
        deadline = time.monotonic() + self._block_s
        while not self.is_shut:
            self._rouse(lane)
            rest_s = deadline - time.monotonic()
            if rest_s <= 0:
                break
            self._lanes.state.wait(rest_s)
            waiting = 0 if self.is_shut else lane.buffer.offer(datum)
            if waiting:
                return waiting
        return 0

    def _rouse(self, lane: Lane) -> None:
        """Caller holds the lock."""
        if not self._is_started:
            self._start()
        lanes = self._lanes
        is_news = not lanes.is_roused and (not lane.failures or lane.spool is not None)
        if is_news:
            lanes.is_roused = True
        # Apart from the worker, which stays roused as long as a delivery lasts.
        if not lanes.is_spooler_roused and lane.needs_spooling(time.monotonic()):
            lanes.is_spooler_roused = is_news = True
        if is_news:
            lanes.state.notify_all()

    def _tell_refused(self, lane: Lane) -> None:
        self._log.warning(
            f"full {lane.kind}",
            "%s: %s, %d %s dropped so far",
            self.name,
            "closed" if self.is_shut else "buffer full",
            lane.counts.dropped,
            lane.kind,
        )

    def _start(self) -> None:
        """Caller holds the lock."""
        try:
            self._worker.start()
            if self._spools:
                self._spooler.start()
        except RuntimeError:
            # The interpreter is shutting down: `flush` and `close` deliver themselves. Not logged,
            # since a log handler may put.
            return
        self._is_started = True


_flushed_at_exit: weakref.WeakSet[BatchSender] = weakref.WeakSet()


def _flush_at_exit() -> None:
    # Not closed: what its owner still puts, it still delivers. All share one deadline.
    deadline = time.monotonic() + EXIT_TIMEOUT_S
    end_all_tickers(_TICKERS_TIMEOUT_S)  # so that what they put is put before the flush
    senders = [sender for sender in list(_flushed_at_exit) if not sender.is_closed]
    for sender in senders:
        flush_until = deadline - sender.write_reserve_s(EXIT_TIMEOUT_S)
        if sender.flush(max(0.0, flush_until - time.monotonic())):
            sender.flush(max(0.0, flush_until - time.monotonic()))  # what was put since it began
    deadline = max(deadline, time.monotonic() + _LEAST_WRITE_S)
    for sender in senders:
        sender.give_up(deadline)


at_exit(_flush_at_exit)
