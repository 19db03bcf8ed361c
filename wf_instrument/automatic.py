"""Which applications were instrumented without their code asking: what the code asks for wins.

Threads: any. Locks: none; each operation on the set is a single one.
Fork: nothing to reset.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["automatically", "gives_way"]

#: By identity: some frameworks define what equal applications are.
_automatic: Final[dict[int, weakref.ref[Any]]] = {}
_is_automatic: Final[ContextVar[bool]] = ContextVar("wf_instrument_automatic", default=False)


@contextmanager
def automatically(app: object) -> Iterator[None]:
    """Instrument an application in this block; remember that its code did not ask for it."""
    token = _is_automatic.set(True)
    try:
        yield
    finally:
        _is_automatic.reset(token)
    key = id(app)
    with suppress(TypeError):  # its class has slots
        _automatic[key] = weakref.ref(app, lambda _: _automatic.pop(key, None))


def gives_way(app: object) -> bool:
    """Return, once, whether the application was instrumented automatically and is asked for now."""
    if _is_automatic.get():
        return False
    known = _automatic.pop(id(app), None)
    return known is not None and known() is app
