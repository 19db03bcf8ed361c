"""A dictionary that can be a member of a set, such as a set of point tags."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["HashableDict"]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class HashableDict(dict[_Key, _Value]):
    """Equal ones hash alike, whatever their order; do not change one that is in a set."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # that a dict has none is the point
        return hash(frozenset(self.items()))
