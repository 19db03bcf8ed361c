"""One kind of data on its way: what waits, what became of it, and when to try again.

Threads: its owner locks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wf_instrument.sender.counts import KindCounts
from wf_instrument.sender.retry import Backoff, reasonable_pause_s

if TYPE_CHECKING:
    from pathlib import Path

    from wf_instrument.errors import SendError
    from wf_instrument.sender.batch import Batch
    from wf_instrument.sender.bounded_buffer import BoundedBuffer
    from wf_instrument.sender.spool import Spool

__all__ = ["Flight", "Lane"]

#: What one file of the spool may hold where requests hold less: a file for each event of a thousand
#: would take ten seconds to write.
_FILE_SIZE: Final = 10_000
_FILE_BYTES: Final = 4_000_000


class Flight:
    """A batch on its way from memory.

    Attributes:
        rest: What of it is not settled.
        place: Where in the spool it belongs, by its age; None without a spool.
        takes: How much was taken for files before it was taken.
    """

    __slots__ = ("place", "rest", "takes")

    def __init__(self, batch: Batch, place: Path | None, takes: int) -> None:
        self.rest = batch
        self.place = place
        self.takes = takes


class Lane:
    """The state of one kind.

    Args:
        kind: Which.
        buffer: What waits in memory.
        spool: Where what cannot be delivered goes; None has it stay in memory.
        first_pause_s: Before the second try.

    Attributes:
        sent_past: Data that were settled without ever being in the buffer.
        wake_at: So many waiting are delivered without regard to the interval.
        wake_bytes: So many bytes waiting, too.
        flight: What was taken from the buffer and is on its way just now.
        failures: Failed tries since the last success; 0 while all is well.
        not_before_s: Monotonic time before which there is no further try.
        told_until_s: Monotonic time until which the receiver itself asked us to wait, which a flush
            respects too; 0.0 when it did not.
        has_spooled: Whether batches waited in the spool when it was looked at last.
        spool_writes: How many batches this process wrote there.
        file_takes: How often data were taken from memory to be written there.
        writing: How many batches are being written there just now.
        faulty_tries: Tries in a row that failed by a mistake, and not by the receiver.
        spool_at_s: Monotonic time from which on a failing lane puts into the spool what it has.
    """

    __slots__ = (
        "_backoff",
        "buffer",
        "counts",
        "failures",
        "faulty_tries",
        "file_takes",
        "flight",
        "has_spooled",
        "kind",
        "not_before_s",
        "sent_past",
        "spool",
        "spool_at_s",
        "spool_writes",
        "told_until_s",
        "wake_at",
        "wake_bytes",
        "writing",
    )

    def __init__(
        self, kind: str, buffer: BoundedBuffer, spool: Spool | None, first_pause_s: float
    ) -> None:
        self.kind = kind
        self.buffer = buffer
        self.spool = spool
        self.counts = KindCounts()
        self.sent_past = 0
        self.wake_at = min(buffer.batch_size, max(buffer.capacity // 2, 1))
        self.wake_bytes = min(buffer.batch_bytes, max(buffer.capacity_bytes // 2, 1))
        self.flight: Flight | None = None
        self.failures = 0
        self.faulty_tries = 0
        self.not_before_s = 0.0
        self.told_until_s = 0.0
        self.has_spooled = False
        self.spool_writes = 0
        self.file_takes = 0
        self.writing = 0
        self.spool_at_s = 0.0
        self._backoff = Backoff(first_pause_s)

    @property
    def is_pressed(self) -> bool:
        """Whether so much waits that it should go early; not while tries fail."""
        buffer = self.buffer
        return (
            buffer.has_more
            and self.flight is None
            and not self.failures
            and (len(buffer) >= self.wake_at or buffer.byte_size >= self.wake_bytes)
        )

    @property
    def is_retrying(self) -> bool:
        """Whether data wait for another try."""
        return (
            self.failures > 0 and self.flight is None and (self.buffer.has_more or self.has_spooled)
        )

    @property
    def is_filling(self) -> bool:
        """Whether the buffer may soon be full, however well deliveries go."""
        buffer = self.buffer
        return buffer.has_more and (
            len(buffer) * 4 >= buffer.capacity * 3
            or buffer.byte_size * 4 >= buffer.capacity_bytes * 3
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, neither in memory nor in the spool."""
        return not len(self.buffer) and not self.has_spooled

    def is_ready(self, *, is_forced: bool, is_due: bool) -> bool:
        """Whether a try may be made now."""
        if self.failures:
            return time.monotonic() >= (self.told_until_s if is_forced else self.not_before_s)
        return is_forced or is_due or self.is_pressed

    def needs_spooling(self, now_s: float) -> bool:
        """Whether what waits in memory belongs into the spool now."""
        if self.spool is None or not self.buffer.has_more:
            return False
        return self.is_filling or (
            self.failures > 0 and (now_s >= self.spool_at_s or self._fills_a_file)
        )

    @property
    def _fills_a_file(self) -> bool:
        buffer = self.buffer
        return (
            len(buffer) >= max(buffer.batch_size, _FILE_SIZE)
            or buffer.byte_size >= max(buffer.batch_bytes, _FILE_BYTES)
        )  # fmt: skip

    def take_for_file(self) -> Batch:
        """Take what one file of the spool holds; it has to be settled or put back."""
        self.file_takes += 1
        return self.buffer.take(_FILE_SIZE, _FILE_BYTES)

    def take_off(self) -> Flight | None:
        """Have the next batch of the buffer on its way; None when none waits, or one still is."""
        if self.flight is None and self.buffer.has_more:
            place = None if self.spool is None else self.spool.next_path()
            self.flight = Flight(self.buffer.take(), place, self.file_takes)
            return self.flight
        return None

    def settle(self, flight: Flight, part: Batch, rest: Batch) -> bool:
        """Let go of a part of what is on its way; False when it was rescued meanwhile."""
        if self.flight is not flight:
            return False
        flight.rest = rest
        self.buffer.settle(part)
        return True

    def land(self, flight: Flight) -> bool:
        """Let what was not settled have its place again, unless it was rescued meanwhile.

        Returns:
            Whether newer data went to the spool meanwhile. Nothing was put back then: what is left
            belongs there too, in its place.
        """
        if self.flight is not flight:
            return False
        self.flight = None
        if flight.rest.count and flight.takes != self.file_takes:
            return True
        self.buffer.put_back(flight.rest)
        return False

    def rescue(self) -> Batch:
        """Take away for good what fills a file: what is on its way first, then what waits."""
        batch = self.take_for_file()
        if self.flight is not None:
            flight, self.flight = self.flight, None
            batch = flight.rest + batch
        self.buffer.settle(batch)
        return batch

    def count_error(self, error: SendError) -> None:
        """Count a request that failed."""
        self.counts.errors += 1
        if error.status is not None:
            self.counts.statuses[error.status] += 1

    def count_settled(self, count: int, *, is_delivered: bool) -> None:
        """Count data that the receiver took, or called bad."""
        if is_delivered:
            self.counts.delivered += count
            self.counts.last_success_s = time.time()
        else:
            self.counts.rejected += count

    def succeeded(self) -> None:
        """Try the next batch without a pause."""
        self.failures = self.faulty_tries = 0
        self.not_before_s = self.told_until_s = 0.0
        self._backoff.reset()

    def failed(self, error: SendError) -> None:
        """Pause before the next try."""
        self.failures += 1
        now_s = time.monotonic()
        self.not_before_s = now_s + self._backoff.next_pause_s(error.retry_after_s)
        told_s = reasonable_pause_s(error.retry_after_s)
        self.told_until_s = now_s + told_s if told_s else 0.0
        self.spool_at_s = 0.0
