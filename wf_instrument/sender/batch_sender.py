"""Batching sender: any thread puts, one worker posts.

Threads: producers call `put`. Only the worker, started by the first `put` of a process, delivers;
    it waits on `_state` and never sleeps.
Locks: `_state` guards buffers, counters and the worker; nothing is locked while on the network.
Fork: the child starts with empty buffers, a new lock and no worker.
Loss: a full buffer refuses the newest datum and counts it as dropped; a datum the receiver calls
    bad is dropped and counted as rejected; a batch that fails otherwise keeps its place.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from wf_instrument.errors import SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.sender.retry import Backoff, Remedy, remedy_for

__all__ = ["BatchSender", "KindCounts"]

log = logging.getLogger(__name__)

#: Posts one batch of one kind; raises SendError.
Deliver = Callable[[str, Sequence[str]], None]


@dataclass(slots=True)
class KindCounts:
    """What became of the data of one kind; read without a lock, exact when idle."""

    valid: int = 0
    dropped: int = 0
    delivered: int = 0
    rejected: int = 0
    errors: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


class BatchSender:
    """Delivers data of several kinds, in batches, from bounded buffers.

    Args:
        name: For log lines and the worker's name; must hold no secret.
        kinds: The kinds of data.
        deliver: Posts a batch.
        queue_size: Data of one kind that may wait.
        batch_size: Data of one request at most.
        flush_interval_s: Seconds between two deliveries; half a queue wakes the worker early.
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
    ) -> None:
        self.name = name
        self._kinds = tuple(kinds)
        self._deliver = deliver
        self._queue_size = queue_size
        self._batch_size = batch_size
        self._flush_interval_s = flush_interval_s
        self._log = RateLimitedLog(log)
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._state = threading.Condition()
        self._buffers: dict[str, deque[str]] = {kind: deque() for kind in self._kinds}
        self.counts: dict[str, KindCounts] = {kind: KindCounts() for kind in self._kinds}
        self._worker: threading.Thread | None = None
        self._is_closed = False
        self._flush_wanted = False
        self._is_failing = False
        self._rounds = 0

    def put(self, kind: str, datum: str) -> bool:
        """Queue one datum; False when the buffer is full or the sender closed. Never blocks."""
        with self._state:
            buffer, counts = self._buffers[kind], self.counts[kind]
            if self._is_closed or len(buffer) >= self._queue_size:
                counts.dropped += 1
                if counts.dropped == 1 or counts.dropped % 1000 == 0:
                    self._log.warning(
                        f"full {kind}",
                        "%s: buffer of %s is full, %d dropped so far",
                        self.name,
                        kind,
                        counts.dropped,
                    )
                return False
            buffer.append(datum)
            counts.valid += 1
            if self._worker is None:
                self._start()
            if len(buffer) == self._queue_size // 2:
                self._state.notify_all()
        return True

    def waiting(self, kind: str) -> int:
        """Return how many data of a kind wait."""
        return len(self._buffers[kind])

    def remaining_capacity(self, kind: str) -> int:
        """Return how many more data of a kind fit."""
        return self._queue_size - len(self._buffers[kind])

    def failure_count(self) -> int:
        """Return how many deliveries failed, over all kinds."""
        return sum(counts.errors for counts in self.counts.values())

    def flush(self, timeout_s: float) -> bool:
        """Deliver what waits, without regard to the interval; False when it did not all leave."""
        with self._state:
            if self._worker is None:
                return not any(self._buffers.values())
            first_round = self._rounds
            self._flush_wanted = True
            self._state.notify_all()

            def is_done() -> bool:
                if not any(self._buffers.values()):
                    return True
                # One more full round has failed: waiting longer would not help.
                return self._is_failing and self._rounds > first_round + 1

            self._state.wait_for(is_done, timeout_s)
            return not any(self._buffers.values())

    def deliver_now(self, kind: str, data: Sequence[str]) -> None:
        """Post data in the caller's thread, past the buffer.

        Raises:
            SendError: They were not taken.
        """
        for start in range(0, len(data), self._batch_size):
            try:
                self._deliver(kind, data[start : start + self._batch_size])
            except SendError as error:
                with self._state:
                    self._count_error(kind, error)
                raise
            with self._state:
                self.counts[kind].delivered += len(data[start : start + self._batch_size])

    def close(self, timeout_s: float) -> None:
        """Flush within `timeout_s`, then stop; a second call does nothing."""
        if self._is_closed:
            return
        self.flush(timeout_s)
        with self._state:
            self._is_closed = True
            worker, self._worker = self._worker, None
            self._state.notify_all()
            for kind, buffer in self._buffers.items():
                if buffer:
                    self.counts[kind].dropped += len(buffer)
                    log.warning("%s: %d %s left undelivered", self.name, len(buffer), kind)
        if worker is not None and worker is not threading.current_thread():
            worker.join(min(timeout_s, 1.0))

    def _start(self) -> None:
        """Caller holds `_state`."""
        worker = threading.Thread(
            target=self._run, args=(self._state,), name=f"wf-instrument-{self.name}", daemon=True
        )
        try:
            worker.start()
        except RuntimeError as error:  # the interpreter is shutting down: no thread can start
            caught("sender.start", error)
            return
        self._worker = worker

    def _run(self, state: threading.Condition) -> None:
        backoff = Backoff()
        pause_s = self._flush_interval_s
        while True:
            with state:
                self._wait(pause_s)
                if self._is_closed or state is not self._state:
                    return
                self._flush_wanted = False
            error = self._deliver_all()
            with state:
                self._rounds += 1
                self._is_failing = error is not None
                state.notify_all()
            if error is None:
                backoff.reset()
                pause_s = self._flush_interval_s
            else:
                pause_s = backoff.next_pause_s(error.retry_after_s)

    def _wait(self, pause_s: float) -> None:
        """Caller holds `_state`. Return when it is time, or when a buffer is half full."""
        deadline = time.monotonic() + pause_s

        def is_pressed() -> bool:
            if self._is_closed or self._flush_wanted:
                return True
            return not self._is_failing and any(
                len(buffer) >= self._queue_size // 2 for buffer in self._buffers.values()
            )

        while not is_pressed():
            rest_s = deadline - time.monotonic()
            if rest_s <= 0:
                return
            self._state.wait(rest_s)

    def _deliver_all(self) -> SendError | None:
        """Deliver every kind until its buffer is empty; return the error that stopped it."""
        for kind in self._kinds:
            while True:
                with self._state:
                    batch = list(islice(self._buffers[kind], self._batch_size))
                if not batch:
                    break
                error = self._deliver_batch(kind, batch)
                if error is not None:
                    return error
        return None

    def _deliver_batch(self, kind: str, batch: list[str]) -> SendError | None:
        """Deliver the front of a buffer, splitting it as needed; None when it is settled."""
        try:
            self._deliver(kind, batch)
        except SendError as error:
            with self._state:
                self._count_error(kind, error)
            remedy = remedy_for(error, len(batch))
            if remedy is Remedy.RETRY:
                self._tell(kind, batch, error)
                return error
            if remedy is Remedy.DROP:
                self._settle(kind, batch, rejected=True)
                self._log.warning(
                    f"rejected {kind}", "%s: a datum of %s was rejected: %s", self.name, kind, error
                )
                return None
            half = len(batch) // 2
            return self._deliver_batch(kind, batch[:half]) or self._deliver_batch(
                kind, batch[half:]
            )
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the worker
            caught(f"sender {self.name}", error)
            self._settle(kind, batch, rejected=True)
            return None
        self._settle(kind, batch, rejected=False)
        return None

    def _settle(self, kind: str, batch: list[str], *, rejected: bool) -> None:
        with self._state:
            buffer = self._buffers[kind]
            for _ in batch:
                buffer.popleft()
            if rejected:
                self.counts[kind].rejected += len(batch)
            else:
                self.counts[kind].delivered += len(batch)
            self._state.notify_all()

    def _count_error(self, kind: str, error: SendError) -> None:
        """Caller holds `_state`."""
        self.counts[kind].errors += 1
        if error.status is not None:
            self.counts[kind].statuses[error.status] += 1

    def _tell(self, kind: str, batch: list[str], error: SendError) -> None:
        if error.status in {401, 403}:
            self._log.warning("token", "%s: the token was refused: %s", self.name, error)
        else:
            self._log.warning(
                "retry", "%s: %d %s wait for another try: %s", self.name, len(batch), kind, error
            )
