"""Name, version and requirements of an installed distribution, without a parser of e-mails.

`importlib.metadata` reads all of a distribution's `METADATA`, its long description included, with
`email.parser`, again for each of `name`, `version` and `requires`. For some twenty packages that is
the larger part of what `wf-instrument run` would do.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["Facts", "facts_of"]


class Facts(NamedTuple):
    """What a distribution says of itself.

    Attributes:
        name: As its makers spell it.
        version: Empty where the distribution has none.
        requires: What it depends on, extras included, a requirement each.
    """

    name: str
    version: str
    requires: tuple[str, ...]


# One object stands for the distribution of many entry points, and is hashed by identity.
@functools.lru_cache(maxsize=8)
def facts_of(distribution: Distribution) -> Facts:
    """Return the facts of an installed distribution.

    Source:
        Core metadata specifications: `Name`, `Version`, `Requires-Dist`; the header ends at the
        first empty line.
    """
    text = distribution.read_text("METADATA")
    if not text:  # made by an older installer, whose requirements are in another file
        return Facts(
            distribution.metadata["Name"] or "",
            distribution.version or "",
            tuple(distribution.requires or ()),
        )
    name = version = ""
    requires = []
    for line in text.partition("\n\n")[0].splitlines():
        field, _, value = line.partition(":")
        match field.lower():
            case "name":
                name = name or value.strip()
            case "version":
                version = version or value.strip()
            case "requires-dist":
                requires.append(value.strip())
    return Facts(name, version, tuple(requires))
