"""Wrapping a method of a client's class, and unwrapping it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["unwrap_method", "wrap_method"]

_ORIGINAL: Final = "_wf_instrument_original"


def wrap_method(kind: type, name: str, around: Callable[[Any], Any]) -> None:
    """Replace a method by what `around` makes of it; harmless when called again."""
    original = getattr(kind, name)
    if hasattr(original, _ORIGINAL):
        return
    wrapped = functools.wraps(original)(around(original))
    setattr(wrapped, _ORIGINAL, original)
    setattr(kind, name, wrapped)


def unwrap_method(kind: type, name: str) -> None:
    """Put the method back; harmless when called again. What somebody wrapped further stays."""
    original = getattr(getattr(kind, name), _ORIGINAL, None)
    if original is not None:
        setattr(kind, name, original)
