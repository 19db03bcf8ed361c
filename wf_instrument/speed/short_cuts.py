"""Which of the twins runs: what was compiled, or Python.

Set `WF_PURE_PYTHON=1` to have Python in any case.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import TYPE_CHECKING, Any, Final

__all__ = [
    "IS_COMPILED",
    "BufferState",
    "CellState",
    "DriverState",
    "HandleState",
    "RecordState",
    "RecorderState",
    "Samples",
    "SpanState",
    "TracerState",
    "link",
    "put_values",
    "replace",
    "replace_noting",
    "shorten",
    "use_short_cuts",
    "use_twins",
]

if TYPE_CHECKING:
    from collections.abc import Callable

#: Of the C sources this goes with; raised, there too, when one of both needs the other's change.
_EDITION: Final = 4

_compiled: Any = None
if os.environ.get("WF_PURE_PYTHON", "") in {"", "0"}:
    # Not there when installed without a compiler, or for another Python than this.
    with contextlib.suppress(ImportError):
        _compiled = importlib.import_module("wf_instrument.speed._compiled")
    # A checkout may hold what was built of older sources.
    if getattr(_compiled, "EDITION", None) != _EDITION:
        _compiled = None

#: Whether the states are compiled ones.
IS_COMPILED: Final[bool] = _compiled is not None

if TYPE_CHECKING or not IS_COMPILED:
    from wf_instrument.speed.states import (
        BufferState,
        CellState,
        DriverState,
        HandleState,
        RecorderState,
        RecordState,
        Samples,
        SpanState,
        TracerState,
    )
else:
    BufferState = _compiled.BufferState
    CellState = _compiled.CellState
    DriverState = _compiled.DriverState
    HandleState = _compiled.HandleState
    RecorderState = _compiled.RecorderState
    RecordState = _compiled.RecordState
    Samples = _compiled.Samples
    SpanState = _compiled.SpanState
    TracerState = _compiled.TracerState

#: Of a coroutine function; as `inspect` has it, which takes long to import.
_CO_COROUTINE: Final = 0x80

#: `put_values(values, scale, counts, sums)` puts floats above 0 into the buckets of a histogram and
#: returns whether it did; None where it is not compiled.
put_values: Final[Callable[[list[float], int, dict[int, int], dict[int, float]], bool] | None] = (
    _compiled.put_values if IS_COMPILED else None
)

#: Class, name of the method, short cut, twin, and whether the twin is the class's own.
_known: Final[list[tuple[type[Any], str, Any, Any, bool]]] = []


def link(**objects: object) -> None:
    """Hand to the short cuts what they need of Python, each object by its own name."""
    if IS_COMPILED:
        _compiled.link(**objects)


def shorten(owner: type[Any], **names: str) -> None:
    """Put compiled short cuts in the place of methods, which stay as their twins.

    Args:
        owner: The class, which inherits a compiled state.
        names: The name of the short cut by that of the method.
    """
    if IS_COMPILED:
        for name, short_cut in names.items():
            twin, short = getattr(owner, name), getattr(super(owner, owner), short_cut)
            link(**{short_cut: twin})
            code = getattr(twin, "__code__", None)
            if code is not None and code.co_flags & _CO_COROUTINE:
                short = _compiled.coroutine_method(short, twin)
            replace(owner, name, short)


def replace(owner: type[Any], name: str, short_cut: Callable[..., Any] | None) -> None:
    """Put a short cut in the place of one method, where short cuts are compiled."""
    if IS_COMPILED:
        _known.append((owner, name, short_cut, getattr(owner, name), name in vars(owner)))
        setattr(owner, name, short_cut)


def replace_noting(owner: type[Any], handle: Callable[..., Any]) -> None:
    """Put a short cut in the place of a route class's `handle`, which notes the route.

    Args:
        owner: The class, whose `handle` notes the route already, by the twin.
        handle: What it was, and calls.
    """
    if IS_COMPILED:
        replace(owner, "handle", _compiled.noting_method(handle, owner.__dict__["handle"]))


def use_short_cuts() -> None:
    """Have all short cuts run, where they are compiled."""
    for owner, name, short_cut, _, _ in _known:
        setattr(owner, name, short_cut)


def use_twins() -> None:
    """Have Python run in place of all short cuts, which tests compare them with."""
    for owner, name, _, twin, is_own in _known:
        if is_own:
            setattr(owner, name, twin)
        else:
            delattr(owner, name)
