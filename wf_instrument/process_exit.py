"""What is done when a process ends, also when `multiprocessing` started it.

Its children skip `atexit`, but run the finalizers of `multiprocessing`; those of the parent are
forgotten in the child, so that each child makes its own.

A process that is told to end twice, by its group and its parent, delivers all the same: SIGTERM
is held off meanwhile, for no longer than the callback's own limit. SIGINT is not.

Threads: any.
Locks: none, so nothing to reset in a forked child.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["at_exit"]

#: After the application's own finalizers, which may still report.
_PRIORITY: Final = -100

_callbacks: list[Callable[[], object]] = []
_is_told = False


def at_exit(
    callback: Callable[[], object], *, in_child: Callable[[], object] | None = None
) -> None:
    """Call a function of a module when the process ends, the last one given first.

    Args:
        callback: What to call.
        in_child: What to call instead in a child of `multiprocessing` that skips `atexit`.
    """
    atexit.register(_undisturbed, callback)
    _callbacks.append(in_child or callback)
    _tell_multiprocessing()


def _tell_multiprocessing() -> None:
    """Have every child see to its end, and this process if it is one; once it is loaded."""
    global _is_told
    # Not imported: a program that does not use it need not load it.
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if _is_told or process is None or util is None:
        return
    # The application's way to start processes may be another one than it was written for.
    with contextlib.suppress(Exception):
        util.register_after_fork(_run, _see_to_the_end)
        _is_told = True
        if process.parent_process() is not None:  # loaded when the child had begun
            _see_to_the_end(_run)


def _see_to_the_end(run: Callable[[], None]) -> None:
    sys.modules["multiprocessing.util"].Finalize(None, run, exitpriority=_PRIORITY)


def _run() -> None:
    for callback in reversed(_callbacks):
        with contextlib.suppress(Exception):
            _undisturbed(callback)


def _undisturbed(callback: Callable[[], object]) -> None:
    """Call it so that no handler of SIGTERM raises into the midst of it."""
    try:
        handler = signal.getsignal(signal.SIGTERM)
        # One that was not set by Python could not be set again.
        if handler is not None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except ValueError:  # not the main thread, where handlers run
        handler = None
    try:
        callback()
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


# Windows has no fork; its children end through `atexit`.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_tell_multiprocessing)
