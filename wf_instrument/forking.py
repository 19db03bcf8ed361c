"""What a forked child must do to what it inherited.

Threads: hooks run in the child's only thread, before anything else of the child.
Locks: none. A lock that some thread of the parent held at the fork stays locked for ever in the
    child, which is why every owner of a lock, a queue or a thread asks to be reset here.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reset_after_fork"]

_resets: list[weakref.WeakMethod[Callable[[], None]]] = []


def reset_after_fork(method: Callable[[], None]) -> None:
    """Call a bound method in every child forked from now on, as long as its object lives.

    Hooks run in the order of registration. They must not raise, block or take inherited locks:
    they replace them.
    """
    _resets[:] = [reset for reset in _resets if reset() is not None]
    _resets.append(weakref.WeakMethod(method))


def _in_child() -> None:
    for reset in _resets:
        method = reset()
        if method is not None:
            method()


# Windows and some embedded interpreters have no fork, and so nothing to reset.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
