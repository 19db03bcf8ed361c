"""What a value of any type reads as, wherever it becomes a name, a tag or a field.

One rule for all: a text is what it holds. An enum that is a `str` too reads as its value, not as
`Colour.RED`, on every version of Python and whatever a dictionary found under an equal key before.
"""

from __future__ import annotations

import reprlib
from typing import Final

__all__ = ["MAX_TEXT", "as_str", "text_of"]

#: Characters kept of a value.
MAX_TEXT: Final = 1000

_CONTAINERS: Final = (list, tuple, dict, set, frozenset)

# Unlike str(), stops early in a list of a million items or of itself.
_bounded: Final = reprlib.Repr()
_bounded.maxlevel = 6
_bounded.maxlist = _bounded.maxtuple = _bounded.maxdict = 100
_bounded.maxset = _bounded.maxfrozenset = 100
_bounded.maxstring = _bounded.maxother = _bounded.maxlong = MAX_TEXT


def as_str(value: object) -> str:
    """Return a text itself, and anything else as `str()` has it, with all that may raise."""
    # Not `str(value)` of a subclass, whose `__str__` may say something else.
    return str.__str__(value) if isinstance(value, str) else str(value)


def text_of(value: object, limit: int = MAX_TEXT) -> str:
    """Return at most `limit` characters that UTF-8 can encode; empty for None and blank.

    A value that cannot be made text reads `?`; its exception is counted and goes no further.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        if isinstance(value, (bytes, bytearray)):
            text = value[:limit].decode("utf-8", "replace")
        elif isinstance(value, _CONTAINERS):
            text = _bounded.repr(value)[:limit]
        else:
            # As `as_str`, without the call.
            text = (str.__str__(value) if isinstance(value, str) else str(value))[:limit]
    except Exception as error:  # noqa: BLE001 - any value may be a tag
        # Imported here: it takes `logging` along, into a command that logs nothing.
        from wf_instrument.guard import caught

        caught("value_text", error)
        return "?"
    if not text.isascii():
        # Lone surrogates (undecodable file names) would fail in every backend.
        text = text.encode("utf-8", "replace").decode()
    return text if text.strip() else ""
