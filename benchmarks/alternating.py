"""Two applications that one process serves in turns, a block of requests each; CPU by block.

What a machine does in the background, and how a process lies in memory, comes to more than what is
measured, and changes within seconds. Blocks of some ten milliseconds in one process meet the same
of both.
"""

from __future__ import annotations

import time
from typing import Any

__all__ = ["BLOCK", "Alternating", "Pair"]

#: Requests. A block ends when the next one's first request comes: what a server does after the
#: application has answered is in it.
BLOCK = 100

#: Microseconds of CPU a request: of the bare application, and of the other one.
Pair = tuple[float, float]


class Alternating:
    """Serves requests by one application and by the other, a block each.

    Requests come in one thread, whose CPU is told apart by blocks. That of other threads is what an
    instrumented application does in the background: its own alone.
    """

    def __init__(self, bare: Any, own: Any) -> None:
        self._apps = bare, own
        self.forget()

    def forget(self) -> None:
        """Begin anew, with the bare application."""
        self._left = 0
        self._blocks: list[int] = []
        self._begun: int | None = None
        self._others_ns = _others_ns()
        # Before the first block the other one is due, so to speak.
        self._due, self._next = self._apps[1], self._apps[0]

    def due(self) -> Any:
        """Return the application that serves the request which has just come."""
        if not self._left:
            now = time.thread_time_ns()
            if self._begun is not None:
                self._blocks.append(now - self._begun)
            self._left = BLOCK
            self._due, self._next = self._next, self._due
            self._begun = time.thread_time_ns()
        self._left -= 1
        return self._due

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve a request of WSGI."""
        return self.due()(environ, start_response)

    def asgi(self, scope: Any, receive: Any, send: Any) -> Any:
        """Serve a request of ASGI."""
        return self.due()(scope, receive, send)

    def figures(self, drained_ns: int = 0) -> Pair:
        """Return what a request of each took since `forget`; blocks without a pair do not count.

        Args:
            drained_ns: CPU of the serving thread that belongs to the instrumented requests, too.

        Raises:
            ZeroDivisionError: There is no pair yet.
        """
        pairs = len(self._blocks) // 2
        requests = pairs * BLOCK
        bare, own = (sum(self._blocks[first : 2 * pairs : 2]) for first in (0, 1))
        # Others worked for a block that has not ended, too.
        served = requests + (BLOCK - self._left if self._due is self._apps[1] else 0)
        behind = (_others_ns() - self._others_ns + drained_ns) / served
        return bare / requests / 1000, (own / requests + behind) / 1000


def _others_ns() -> int:
    """The CPU of all threads but this one."""
    return time.process_time_ns() - time.thread_time_ns()
