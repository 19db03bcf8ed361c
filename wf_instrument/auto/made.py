"""Instrumenting applications when they are made."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["instrument_when_made"]

_MARK: Final = "_wf_instrument_made"


def instrument_when_made(kind: type, instrument: Callable[[object], object]) -> None:
    """Call `instrument` with every instance of a class that is made from now on, once made.

    Of a class derived from another one that is watched, too, only the nearer one's is called.
    Harmless when called again.
    """
    made: Any = getattr(kind, "__init__")  # noqa: B009 - mypy calls it unsound
    if getattr(made, _MARK, None) is kind:
        return

    @functools.wraps(made)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - its name
        made(self, *args, **kwargs)
        if _nearest_watched(type(self)) is kind:
            instrument(self)

    setattr(__init__, _MARK, kind)
    setattr(kind, "__init__", __init__)  # noqa: B010 - mypy refuses to assign a method


def _nearest_watched(kind: type) -> type | None:
    for one in kind.__mro__:
        # Looked up in its own namespace: a derived class inherits the mark.
        owner: type | None = getattr(vars(one).get("__init__"), _MARK, None)
        if owner is one:
            return one
    return None
