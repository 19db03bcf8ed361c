"""Delivering what was recorded when a process is told to end and would end at once.

Threads: the signal's handler runs in the main thread, wherever that is, and may have interrupted
    the holder of any lock: a thread of its own delivers, and is waited for up to a deadline.
Locks: none, so nothing to reset in a forked child, which inherits the handler.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["deliver_at_termination"]

#: Beyond the time that the settings give to the delivery.
_GRACE_S: Final = 0.5


def deliver_at_termination() -> None:
    """Take SIGTERM where it would kill the process; whoever handles it later does as ever."""
    try:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _on_termination)
    except ValueError:  # not in the main thread
        pass


def _on_termination(number: int, frame: FrameType | None) -> None:
    # First, so that a second signal kills.
    signal.signal(number, signal.SIG_DFL)
    telemetry = sys.modules.get("wf_instrument.telemetry")
    if telemetry is not None:
        _deliver(telemetry.shutdown, telemetry.longest_shutdown_s() + _GRACE_S)
    os.kill(os.getpid(), number)


def _deliver(shutdown: object, timeout_s: float) -> None:
    import threading

    thread = threading.Thread(target=shutdown, name="wf-instrument-shutdown", daemon=True)  # type: ignore[arg-type]  # a function
    try:
        thread.start()
        thread.join(timeout_s)
    except RuntimeError:  # no thread can start any more
        pass
