"""What a forked child must do to what it inherited.

Threads: any registers; hooks run in the child's only thread, before anything else of the child.
Locks: `_lock` guards `_resets` and `_sweep_at`. A lock that some thread of the parent held at the
    fork stays locked for ever in the child, which is why every owner of a lock, a queue or a thread
    asks to be reset here.
Fork: the child replaces `_lock` before it runs the hooks.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reset_after_fork"]

# Reentrant: making a weak reference may collect garbage whose finalizer registers.
_lock = threading.RLock()
_resets: list[weakref.WeakMethod[Callable[[], None]]] = []
# Those whose object is gone are looked for when the list has doubled, not each time: an application
# may make thousands of counters.
_FIRST_SWEEP: Final = 64
_sweep_at = _FIRST_SWEEP


def reset_after_fork(method: Callable[[], None]) -> None:
    """Call a bound method in every child forked from now on, as long as its object lives.

    Hooks run in the order of registration. They must not block or take inherited locks: they
    replace them. One that raises keeps none of the others from running.
    """
    global _sweep_at
    with _lock:
        if len(_resets) >= _sweep_at:
            _resets[:] = [reset for reset in _resets if reset() is not None]
            _sweep_at = max(_FIRST_SWEEP, 2 * len(_resets))
        _resets.append(weakref.WeakMethod(method))


def _in_child() -> None:
    global _lock
    _lock = threading.RLock()
    failure: Exception | None = None
    for reset in tuple(_resets):  # a hook may make an object that registers
        method = reset()
        if method is None:
            continue
        try:
            method()
        except Exception as exc:  # noqa: BLE001 - a lock not reset would hang the child
            failure = failure or exc
    if failure is not None:
        raise failure  # the interpreter shows it through sys.unraisablehook and carries on


# Windows and some embedded interpreters have no fork, and so nothing to reset.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
