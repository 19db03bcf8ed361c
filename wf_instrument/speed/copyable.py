"""Copies of objects with a compiled state, which Python does not make by itself."""

from __future__ import annotations

import copyreg
from typing import Any, ClassVar

__all__ = ["Copyable"]


class Copyable:
    """Is copied and pickled as an object of Python, the fields of its state included."""

    __slots__ = ()

    #: The names of the state's fields.
    _fields: ClassVar[tuple[str, ...]] = ()

    #: The names of attributes that a copy makes for itself, in `__setstate__`.
    _remade: ClassVar[tuple[str, ...]] = ()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Return what `copy` and `pickle` make another one of."""
        state = {**vars(self), **{name: getattr(self, name) for name in self._fields}}
        for name in self._remade:
            state.pop(name, None)
        return copyreg.__newobj__, (type(self),), state  # type: ignore[attr-defined]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what another one had."""
        for name, value in state.items():
            setattr(self, name, value)
