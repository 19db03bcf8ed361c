"""The thread that writes to disk what cannot be delivered, while the worker keeps trying.

Threads: `wf-instrument-<name>-spool`, started with the worker of a sender that has spools. The
    worker itself writes what comes back to it after newer data were written.
Locks: that of the lanes, never while writing.
Fork: made anew in the child, which starts its own.
Loss: what cannot be written keeps its place in memory; the oldest that a full spool lost for the
    newest are counted as dropped. At the end, so is what cannot be written in time.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from wf_instrument.guard import RateLimitedLog, caught

if TYPE_CHECKING:
    from pathlib import Path

    from wf_instrument.sender.batch import Batch
    from wf_instrument.sender.lane import Flight, Lane
    from wf_instrument.sender.lanes import Lanes

__all__ = ["Spooler"]

log = logging.getLogger(__name__)

#: Before the next try to write to a disk that is full, or gone.
_PAUSE_S: Final = 1.0


class Spooler:
    """Moves data from memory to the spools of one sender.

    Args:
        name: For log lines and the thread's name.
        lanes: The sender's.
        flush_interval_s: Seconds that data of a failing lane may stay in memory.
    """

    def __init__(self, name: str, lanes: Lanes, flush_interval_s: float) -> None:
        self.name = name
        self._lanes = lanes
        self._flush_interval_s = flush_interval_s
        self._thread: threading.Thread | None = None
        self._log = RateLimitedLog(log)

    def start(self) -> None:
        """Start the thread, once. Raises RuntimeError when no thread can start any more."""
        if self._thread is None:
            thread = threading.Thread(
                target=self._run, name=f"wf-instrument-{self.name}-spool", daemon=True
            )
            thread.start()
            self._thread = thread

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, once the lanes are closed."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def rescue(self, lane: Lane, deadline: float) -> int:
        """Spool all that waits of a kind; return how many data could not be, and are dropped.

        Args:
            lane: Of the kind.
            deadline: Monotonic time after which no write is begun.
        """
        lost = 0
        while True:
            with self._lanes.lock:
                batch = lane.rescue()
            if not batch.count:
                if self._is_still_writing(lane, deadline):
                    continue  # it could not be written, and has come back
                return lost
            if time.monotonic() >= deadline or not self._write(lane, batch):
                lost += batch.count
                with self._lanes.lock:
                    lane.counts.dropped += batch.count

    def land(self, lane: Lane, flight: Flight) -> None:
        """Let what is left of a flight have its place again, in memory or in the spool.

        A buffer that was about to be full may have gone to the spool while this was on its way.
        """
        with self._lanes.lock:
            is_overtaken = lane.land(flight)
            lane.writing += is_overtaken
        if is_overtaken:
            self._write_taken(lane, flight.rest, flight.place)

    def _is_still_writing(self, lane: Lane, deadline: float) -> bool:
        """Wait for a write that has begun; return whether what was to be written waits again.

        The thread is a daemon, and the interpreter may end next.
        """
        if self._thread is threading.current_thread():
            return False
        with self._lanes.state:
            rest_s = max(0.0, deadline - time.monotonic())
            self._lanes.state.wait_for(lambda: not lane.writing, rest_s)
            return not lane.writing and lane.buffer.has_more

    def _run(self) -> None:
        lanes = self._lanes
        while True:
            with lanes.state:
                lane = self._wait()
                if lane is None:
                    return
                batch = lane.take_for_file()
                lane.writing += 1
            if self._write_taken(lane, batch):
                with lanes.state:
                    lane.spool_at_s = time.monotonic() + self._flush_interval_s
            else:
                with lanes.state:
                    lanes.state.wait_for(lambda: lanes.is_closed, _PAUSE_S)

    def _write_taken(self, lane: Lane, batch: Batch, place: Path | None = None) -> bool:
        """Write what was taken from a buffer, and settle it there, or put it back."""
        is_written = self._write(lane, batch, place)
        with self._lanes.state:
            lane.writing -= 1
            if is_written:
                lane.buffer.settle(batch)
            else:
                lane.buffer.put_back(batch)
            self._lanes.state.notify_all()
        return is_written

    def _wait(self) -> Lane | None:
        """Caller holds the lock. Return the lane that needs spooling, None when it is over."""
        lanes = self._lanes
        while not lanes.is_closed:
            now_s = time.monotonic()
            for lane in lanes:
                if lane.needs_spooling(now_s):
                    return lane
            waiting = [x.spool_at_s for x in lanes if x.failures and x.buffer.has_more]
            lanes.is_spooler_roused = False
            lanes.state.wait(max(min(waiting) - now_s, 0.01) if waiting else None)
        return None

    def _write(self, lane: Lane, batch: Batch, place: Path | None = None) -> bool:
        if lane.spool is None:
            return False
        try:
            lost = lane.spool.add(batch, place)
        except OSError as error:
            self._log.warning(
                f"write {lane.kind}",
                "%s: %d %s cannot be spooled: %s",
                self.name,
                batch.count,
                lane.kind,
                error.strerror,
            )
            return False
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the thread
            caught(f"sender {self.name} spool", error)
            return False
        with self._lanes.lock:
            lane.counts.spooled += batch.count
            lane.counts.unspooled += lost
            lane.counts.dropped += lost
            lane.has_spooled = True
            lane.spool_writes += 1
        if lost:
            self._log.warning(
                f"full {lane.kind}",
                "%s: the spool is full, the oldest %d %s were dropped",
                self.name,
                lost,
                lane.kind,
            )
        return True
