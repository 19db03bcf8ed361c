"""Batching sender: any thread puts, one worker posts.

Threads: producers call `put`. Only the worker, started by the first `put` of a process, delivers;
    it waits on `_state` and never sleeps. Where no thread can start any more (from Python 3.12 on,
    while the interpreter ends), `flush` and `close` deliver in the caller's thread.
Locks: `_state` guards buffers, counters and the worker; nothing is locked while on the network.
Fork: the child starts with empty buffers, a new lock and no worker.
Loss: a full buffer refuses the newest datum and counts it as dropped; a datum the receiver calls
    bad is dropped and counted as rejected; a batch that fails otherwise keeps its place.
"""

from __future__ import annotations

import atexit
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from wf_instrument.errors import SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.sender.bounded_buffer import BoundedBuffer, KindCounts
from wf_instrument.sender.lane import Lane
from wf_instrument.sender.retry import Remedy, remedy_for

__all__ = ["BatchSender"]

log = logging.getLogger(__name__)

#: Posts one batch of one kind, within a time-out if one is given; raises SendError.
Deliver = Callable[[str, Sequence[str], "float | None"], None]

#: Uncompressed; the service takes a few times as much.
BATCH_BYTES: Final = 4_000_000
EXIT_TIMEOUT_S: Final = 5.0
#: So many failures in a row, and a flush waits no longer.
_FLUSH_ATTEMPTS: Final = 2


class BatchSender:
    """Delivers data of several kinds, in batches, from bounded buffers.

    A kind that the receiver refuses does not hold up the others.

    Args:
        name: For log lines and the worker's name; must hold no secret.
        kinds: The kinds of data.
        deliver: Posts a batch.
        queue_size: Data of one kind that may wait.
        batch_size: Data of one request at most.
        flush_interval_s: Seconds between two deliveries; half a queue wakes the worker early.
        batch_sizes: Other batch sizes, by kind.
        batch_bytes: Bytes of one request at most, before compression.
    """

    def __init__(
        self,
        name: str,
        kinds: Iterable[str],
        deliver: Deliver,
        *,
        queue_size: int = 50_000,
        batch_size: int = 10_000,
        flush_interval_s: float = 5.0,
        batch_sizes: Mapping[str, int] | None = None,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self.name = name
        self._batch_sizes = dict.fromkeys(kinds, batch_size) | dict(batch_sizes or {})
        self._deliver = deliver
        self._queue_size = queue_size
        self._batch_bytes = batch_bytes
        self._flush_interval_s = flush_interval_s
        self._log = RateLimitedLog(log)
        self._is_closed = False
        self._reset()
        reset_after_fork(self._reset)
        _flushed_at_exit.add(self)

    def _reset(self) -> None:
        self._state = threading.Condition()
        self._lanes = {
            kind: Lane(kind, BoundedBuffer(self._queue_size, size, self._batch_bytes))
            for kind, size in self._batch_sizes.items()
        }
        self._worker: threading.Thread | None = None
        self._is_flush_wanted = False

    @property
    def counts(self) -> dict[str, KindCounts]:
        """What became of the data, by kind."""
        return {kind: lane.counts for kind, lane in self._lanes.items()}

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    def put(self, kind: str, datum: str) -> bool:
        """Queue one datum; False when the buffer is full or the sender closed. Never blocks."""
        with self._state:
            lane = self._lanes[kind]
            if self._is_closed or not lane.buffer.offer(datum):
                self._count_dropped(lane)
                return False
            lane.counts.valid += 1
            if self._worker is None:
                self._start()
            elif lane.is_pressed:
                self._state.notify_all()
        return True

    def count_invalid(self, kind: str) -> None:
        """Count a datum of which no line could be made."""
        with self._state:
            self._lanes[kind].counts.invalid += 1

    def waiting(self, kind: str) -> int:
        """Return how many data of a kind wait."""
        return len(self._lanes[kind].buffer)

    def remaining_capacity(self, kind: str) -> int:
        """Return how many more data of a kind fit."""
        return self._queue_size - self.waiting(kind)

    def failure_count(self) -> int:
        """Return how many deliveries failed, over all kinds."""
        return sum(lane.counts.errors for lane in self._lanes.values())

    def flush(self, timeout_s: float) -> bool:
        """Deliver what is queued by now, without regard to the interval.

        Returns:
            Whether it all left: not within `timeout_s`, or not when the receiver keeps failing.
        """
        deadline = time.monotonic() + timeout_s
        with self._state:
            goals = {kind: lane.buffer.accepted for kind, lane in self._lanes.items()}
            limits = {kind: lane.failures + _FLUSH_ATTEMPTS for kind, lane in self._lanes.items()}
            self._start_if_needed()
            has_worker = self._worker is not None
            if has_worker:
                self._is_flush_wanted = True
                self._state.notify_all()
                self._state.wait_for(lambda: self._is_flushed(goals, limits), timeout_s)
        if not has_worker:
            self._flush_here(goals, limits, deadline)
        with self._state:
            return not self._unsettled(goals)

    def deliver_now(self, kind: str, data: Sequence[str]) -> None:
        """Post data in the caller's thread, past the buffer.

        Raises:
            SendError: The receiver could not be reached or refused them; bad data alone are
                left out and counted.
        """
        lane = self._lanes[kind]
        rest = BoundedBuffer(max(len(data), 1), lane.buffer.batch_size, lane.buffer.batch_bytes)
        for datum in data:
            rest.offer(datum)
        while rest:
            error = self._deliver_batch(lane, rest, rest.front(), None)
            if error is not None:
                with self._state:
                    lane.counts.dropped += len(rest)
                raise error

    def leave_exit_to_owner(self) -> None:
        """Do not flush when the interpreter ends: the caller promises to close the sender then."""
        _flushed_at_exit.discard(self)

    def close(self, timeout_s: float) -> None:
        """Flush within `timeout_s`, then stop; a second call does nothing."""
        if self._is_closed:
            return
        deadline = time.monotonic() + timeout_s
        self.flush(timeout_s)
        with self._state:
            self._is_closed = True
            worker, self._worker = self._worker, None
            self._state.notify_all()
            for lane in self._lanes.values():
                left = lane.buffer.clear()
                lane.counts.dropped += left
                if left:
                    log.warning("%s: %d %s left undelivered", self.name, left, lane.kind)
        if worker is not None and worker is not threading.current_thread():
            worker.join(max(0.0, deadline - time.monotonic()))

    def _start_if_needed(self) -> None:
        """Caller holds `_state`."""
        if self._worker is not None and not self._worker.is_alive():
            self._worker = None
        if self._worker is None and any(lane.buffer for lane in self._lanes.values()):
            self._start()

    def _start(self) -> None:
        """Caller holds `_state`."""
        worker = threading.Thread(
            target=self._run, args=(self._state,), name=f"wf-instrument-{self.name}", daemon=True
        )
        try:
            worker.start()
        except RuntimeError:
            # The interpreter is shutting down: `flush` and `close` deliver themselves.
            log.debug("%s: no thread can start any more", self.name)
            return
        self._worker = worker

    def _run(self, state: threading.Condition) -> None:
        next_round_s = time.monotonic() + self._flush_interval_s
        while True:
            with state:
                self._wait(state, next_round_s)
                if self._is_closed or state is not self._state:
                    return
                is_forced, self._is_flush_wanted = self._is_flush_wanted, False
            self._deliver_ready(is_forced=is_forced, deadline=None)
            next_round_s = time.monotonic() + self._flush_interval_s

    def _wait(self, state: threading.Condition, next_round_s: float) -> None:
        """Caller holds `_state`. Return when it is time, or when a buffer is half full."""
        while not (self._is_closed or self._is_flush_wanted or self._is_pressed()):
            rest_s = min(next_round_s, self._next_try_s()) - time.monotonic()
            if rest_s <= 0:
                return
            state.wait(rest_s)

    def _is_pressed(self) -> bool:
        """Caller holds `_state`."""
        return any(lane.is_pressed for lane in self._lanes.values())

    def _next_try_s(self) -> float:
        """Caller holds `_state`. Return the monotonic time of the next try after a failure."""
        return min(
            (lane.not_before_s for lane in self._lanes.values() if lane.is_retrying),
            default=math.inf,
        )

    def _unsettled(self, goals: Mapping[str, int]) -> list[Lane]:
        """Caller holds `_state`."""
        return [
            lane for kind, lane in self._lanes.items() if lane.buffer.settled < goals.get(kind, 0)
        ]

    def _is_flushed(self, goals: Mapping[str, int], limits: Mapping[str, int]) -> bool:
        """Caller holds `_state`. Whether all has left, or trying again would not help."""
        return self._is_closed or all(
            lane.failures >= limits[lane.kind] for lane in self._unsettled(goals)
        )

    def _flush_here(
        self, goals: Mapping[str, int], limits: Mapping[str, int], deadline: float
    ) -> None:
        """Flush in the caller's thread, where there is no worker and can be none."""
        while True:
            self._deliver_ready(is_forced=True, deadline=deadline)
            with self._state:
                now_s = time.monotonic()
                if self._is_flushed(goals, limits) or now_s >= deadline:
                    return
                self._state.wait(max(0.0, min(self._next_try_s(), deadline) - now_s))

    def _deliver_ready(self, *, is_forced: bool, deadline: float | None) -> None:
        """Deliver the kinds whose turn it is, each until its buffer is empty."""
        for lane in self._lanes.values():
            error = None
            while error is None:
                with self._state:
                    if self._is_closed or _is_past(deadline):
                        return
                    if not lane.is_ready(is_forced=is_forced):
                        break
                    batch = lane.buffer.front()
                error = self._deliver_batch(lane, lane.buffer, batch, deadline)
                self._note_outcome(lane, len(batch), error)
            if error is not None and error.status is None:
                is_forced = False  # nobody is there: the others need not run into the same wall

    def _note_outcome(self, lane: Lane, count: int, error: SendError | None) -> None:
        with self._state:
            if error is None:
                lane.succeeded()
            elif error.status is None:
                for other in self._lanes.values():
                    if other.buffer:
                        other.failed(error)
            else:
                lane.failed(error)
            self._state.notify_all()
        if error is not None:
            self._tell(lane, count, error)

    def _deliver_batch(
        self, lane: Lane, buffer: BoundedBuffer, batch: list[str], deadline: float | None
    ) -> SendError | None:
        """Deliver the front of a buffer, splitting it as needed; None when it is settled."""
        timeout_s = None if deadline is None else deadline - time.monotonic()
        try:
            self._deliver(lane.kind, batch, timeout_s)
        except SendError as error:
            with self._state:
                lane.count_error(error)
            remedy = remedy_for(error, len(batch))
            if remedy is Remedy.RETRY:
                return error
            if remedy is Remedy.SPLIT:
                half = len(batch) // 2
                return self._deliver_batch(
                    lane, buffer, batch[:half], deadline
                ) or self._deliver_batch(lane, buffer, batch[half:], deadline)
            self._settle(lane, buffer, len(batch), is_rejected=True)
            self._log.warning(
                f"rejected {lane.kind}",
                "%s: a datum of %s was rejected and dropped: %s",
                self.name,
                lane.kind,
                error,
            )
            return None
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the worker
            caught(f"sender {self.name}", error)
            self._settle(lane, buffer, len(batch), is_rejected=True)
            return None
        self._settle(lane, buffer, len(batch), is_rejected=False)
        return None

    def _settle(self, lane: Lane, buffer: BoundedBuffer, count: int, *, is_rejected: bool) -> None:
        with self._state:
            if buffer is lane.buffer and self._is_closed:
                return  # given up and counted as dropped meanwhile
            buffer.settle(count)
            if is_rejected:
                lane.counts.rejected += count
            else:
                lane.counts.delivered += count
                lane.counts.last_success_s = time.time()
            self._state.notify_all()

    def _count_dropped(self, lane: Lane) -> None:
        """Caller holds `_state`."""
        lane.counts.dropped += 1
        self._log.warning(
            f"full {lane.kind}",
            "%s: %s, %d %s dropped so far",
            self.name,
            "closed" if self._is_closed else "buffer full",
            lane.counts.dropped,
            lane.kind,
        )

    def _tell(self, lane: Lane, count: int, error: SendError) -> None:
        if error.status in {401, 403}:
            self._log.warning(
                f"token {lane.kind}", "%s: the token was refused: %s", self.name, error
            )
        else:
            self._log.warning(
                f"retry {lane.kind}",
                "%s: %d %s wait for another try: %s",
                self.name,
                count,
                lane.kind,
                error,
            )


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


_flushed_at_exit: weakref.WeakSet[BatchSender] = weakref.WeakSet()


def _flush_at_exit() -> None:
    # Not closed: what its owner still puts, it still delivers. All share one deadline.
    deadline = time.monotonic() + EXIT_TIMEOUT_S
    for sender in list(_flushed_at_exit):
        if not sender.is_closed:
            sender.flush(max(0.0, deadline - time.monotonic()))


atexit.register(_flush_at_exit)
