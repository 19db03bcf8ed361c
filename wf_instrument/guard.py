"""The border between the library and the application: nothing of ours may reach it.

Threads: any. Two errors in the same instant may log twice.
Locks: none, so nothing to reset in a forked child.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["RateLimitedLog", "errors_caught", "guard"]

log = logging.getLogger(__name__)

#: Seconds between two log lines about the same thing.
LOG_INTERVAL_S: Final = 60.0

errors_caught: Counter[str] = Counter()
"""How many exceptions each border kept away from the application, by the border's name."""


class RateLimitedLog:
    """Logs one line at most once a minute for each key, and says how many were held back."""

    def __init__(self, logger: logging.Logger, interval_s: float = LOG_INTERVAL_S) -> None:
        self._logger = logger
        self._interval_s = interval_s
        self._last: dict[str, float] = {}
        self._held: Counter[str] = Counter()

    def warning(
        self, key: str, message: str, *args: object, exc_info: BaseException | None = None
    ) -> None:
        """Log `message % args` unless `key` was logged within the interval; never raise."""
        now = time.monotonic()
        last = self._last.get(key)
        if last is not None and now - last < self._interval_s:
            self._held[key] += 1
            return
        self._last[key] = now
        held = self._held.pop(key, 0)
        if held:
            message, args = message + " (%d more since the last line)", (*args, held)
        # A handler of the application may raise, and a full stack leaves no room for logging.
        with contextlib.suppress(Exception):
            self._logger.warning(message, *args, exc_info=exc_info)


class guard:  # noqa: N801 - reads as a statement: with guard("flask.route")
    """Swallow, count and log (once a minute) any `Exception` raised in the block.

    `BaseException`s that are no `Exception` (KeyboardInterrupt, GreenletExit, CancelledError)
    belong to the application and pass.
    """

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        caught(self._where, error)
        return True


def caught(where: str, error: Exception) -> None:
    """Count and log an exception that the caller has already swallowed."""
    errors_caught[where] += 1
    # A full stack leaves no room for a call either.
    with contextlib.suppress(Exception):
        _log.warning(where, "%s failed and was kept from the application", where, exc_info=error)


_log = RateLimitedLog(log)
