"""Values that careless callers pass, and clocks that misbehave."""

from __future__ import annotations

import uuid
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Final


class Colour(str, Enum):
    """A text whose `str()` is another one."""

    RED = "red"


class Loud(str):
    """A text that cannot be asked what it says."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Level(IntEnum):
    LOW = 1


class Mute:
    """Has no text, no comparison, no hash and no number."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __float__(self) -> float:
        raise RuntimeError("no number")


def cyclic() -> list[object]:
    """Return a list that holds itself."""
    made: list[object] = []
    made.append(made)
    return made


def deep() -> list[object]:
    """Return lists in lists, deeper than the stack."""
    made: list[object] = []
    for _ in range(100_000):
        made = [made]
    return made


#: Everything a tag's value could be; each made when asked for, since some hold themselves.
VALUES: Final[dict[str, Any]] = {
    "none": lambda: None,
    "blank": lambda: " \n",
    "bool": lambda: True,
    "int": lambda: 10**100,
    "huge-int": lambda: 10**5000,
    "float": lambda: float("nan"),
    "decimal": lambda: Decimal("1.5"),
    "bytes": lambda: b"\xff",
    "uuid": lambda: uuid.UUID(int=1),
    "enum": lambda: Level.LOW,
    "str-enum": lambda: Colour.RED,
    "loud": lambda: Loud("loud"),
    "long": lambda: "x" * 1_000_000,
    "surrogate": lambda: "a\ud800",
    "list": lambda: [1, "a"],
    "dict": lambda: {"a": {1}},
    "cyclic": cyclic,
    "deep": deep,
    "mute": Mute,
}


class Clock:
    """Has pyformance's `time()`, and can be called; moves when told, backwards too."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    __call__ = time
