"""Doing something every so often, in one thread of each process.

Threads: `start` starts one named daemon thread; it waits on `_wake` and never sleeps. What it calls
    runs in that thread, behind the border that keeps failures from the application.
Locks: `_wake` guards the state; it is not held while the call runs.
Fork: the child of a process whose ticker runs starts a thread of its own, which waits one interval
    before its first call: the parent has made the last one.
Loss: a call that takes longer than the interval is followed by one call at once, not by several.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import guard

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ticker", "end_all_tickers"]

log = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S: Final = 5.0

#: Keeps tickers that run in being: in a forked child no thread does it any more.
_running: set[Ticker] = set()


class Ticker:
    """Makes a call every interval until it is closed.

    Args:
        name: For log lines, the counter of failures and the thread's name.
        call: What to do; an exception it raises is counted and logged, and the next call is made.
        interval_s: Seconds from one call to the next.
        first_after_s: Seconds from `start` to the first call; one interval when None.
    """

    def __init__(
        self,
        name: str,
        call: Callable[[], None],
        interval_s: float,
        *,
        first_after_s: float | None = None,
    ) -> None:
        self._name = name
        self._call = call
        self._interval_s = interval_s
        self._first_after_s = interval_s if first_after_s is None else first_after_s
        self._is_closed = False
        self._worker: threading.Thread | None = None
        self._wake = threading.Condition()
        reset_after_fork(self._in_child)

    @property
    def is_running(self) -> bool:
        """Whether a thread of this process makes the calls."""
        return self._worker is not None

    def start(self) -> None:
        """Start the thread unless it runs or the ticker is closed."""
        if self._worker is None:
            with self._wake:
                if self._worker is None and not self._is_closed:
                    self._start_worker(self._first_after_s)

    def close(self, timeout_s: float = _CLOSE_TIMEOUT_S) -> None:
        """Make no further call; wait up to `timeout_s` for the one under way."""
        worker = self._end()
        if worker is not None:
            worker.join(max(0.0, timeout_s))

    def _end(self) -> threading.Thread | None:
        """Make no further call; return the thread, which may be in one."""
        with self._wake:
            self._is_closed = True
            worker, self._worker = self._worker, None
            self._wake.notify_all()
        _running.discard(self)
        return worker if worker is not threading.current_thread() else None

    def _in_child(self) -> None:
        self._wake = threading.Condition()
        if self._worker is not None:
            self._worker = None
            self._start_worker(self._interval_s)

    def _start_worker(self, first_after_s: float) -> None:
        """Caller holds `_wake`, or is the only thread."""
        worker = threading.Thread(
            target=self._run,
            args=(self._wake, first_after_s),
            name=f"wf-instrument-{self._name}",
            daemon=True,
        )
        try:
            worker.start()
        except RuntimeError:
            # The interpreter is shutting down, or the system has no thread left.
            log.debug("%s: no thread can start", self._name)
            return
        self._worker = worker
        _running.add(self)

    def _run(self, wake: threading.Condition, first_after_s: float) -> None:
        due = time.monotonic() + first_after_s
        while True:
            with wake:
                while not self._is_closed and (rest := due - time.monotonic()) > 0:
                    wake.wait(min(rest, threading.TIMEOUT_MAX))
                if self._is_closed:
                    return
            with guard(self._name):
                self._call()
            due = max(due + self._interval_s, time.monotonic())


def end_all_tickers(timeout_s: float) -> None:
    """Close every ticker of the process: at its end, before what they put is delivered.

    Args:
        timeout_s: For all the calls that are under way, in seconds.
    """
    deadline = time.monotonic() + timeout_s
    workers = [ticker._end() for ticker in list(_running)]  # noqa: SLF001
    for worker in workers:
        if worker is not None:
            worker.join(max(0.0, deadline - time.monotonic()))
