"""What is known of an integration, and how one process tells another.

Apart from what finds them: a process of a server reads this, and loads nothing else for it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Integration", "from_text", "to_text"]


class Integration:
    """One installed integration.

    Attributes:
        name: Of the entry point.
        trigger: The module whose import it waits for; empty for none.
        value: `module:function`.
        why_not: Why it would not be used, in words; empty if it would.
        version: Of the package it is for; empty where that is not installed, or has none.
        provider: The distribution that offers it, and its version.
    """

    # No NamedTuple, which takes longer to make than all else that most processes load of ours.
    __slots__ = ("name", "provider", "trigger", "value", "version", "why_not")

    def __init__(
        self,
        name: str,
        trigger: str,
        value: str,
        why_not: str = "",
        version: str = "",
        provider: str = "",
    ) -> None:
        self.name = name
        self.trigger = trigger
        self.value = value
        self.why_not = why_not
        self.version = version
        self.provider = provider


def to_text(integrations: Iterable[Integration]) -> str:
    """Return what another process of the same installation need not look for again."""
    rows = [sys.prefix]
    rows += [
        "\t".join((one.name, one.trigger, one.value, one.why_not, one.version, one.provider))
        for one in integrations
    ]
    return "\n".join(rows)


def from_text(text: str) -> list[Integration] | None:
    """Return what `to_text` told; None when it was told of another installation."""
    prefix, *rows = text.split("\n")
    if prefix != sys.prefix:
        return None
    try:
        return [Integration(*row.split("\t")) for row in rows]
    except TypeError:
        return None
