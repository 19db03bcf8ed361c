"""Tag and log values of any type as bounded text, whatever the application put in."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Final

from wf_instrument.guard import caught

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_TEXT", "is_blank", "is_positive", "is_true", "plain_tags", "text_of"]

#: Characters kept of a value.
MAX_TEXT: Final = 1000

_CONTAINERS: Final = (list, tuple, dict, set, frozenset)

# Unlike str(), stops early in a list of a million items or of itself.
_bounded: Final = reprlib.Repr()
_bounded.maxlevel = 6
_bounded.maxlist = _bounded.maxtuple = _bounded.maxdict = 100
_bounded.maxset = _bounded.maxfrozenset = 100
_bounded.maxstring = _bounded.maxother = _bounded.maxlong = MAX_TEXT


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
            text = str(value)[:limit]
    except Exception as error:  # noqa: BLE001 - any value may be a tag
        caught("tracing.tag", error)
        return "?"
    if not text.isascii():
        # Lone surrogates (undecodable file names) would fail in every backend.
        text = text.encode("utf-8", "replace").decode()
    return text if text.strip() else ""


def plain_tags(pairs: Iterable[tuple[str, object]]) -> dict[str, str] | None:
    """Return tags as text by key, None when a key stands twice; blank values are left out."""
    tags: dict[str, str] = {}
    for key, value in pairs:
        # Nearly every value is short ASCII text already, which costs no call.
        if type(value) is str and value.isascii() and len(value) <= MAX_TEXT:
            text = value if value.strip() else ""
        else:
            text = text_of(value)
        if text:
            if key in tags:
                return None
            tags[key] = text
    return tags


def is_blank(value: object) -> bool:
    """Return whether a value says nothing: None or white space."""
    # Only text is compared: `==` of a foreign type may raise or return an array.
    return value is None or (isinstance(value, str) and not value.strip())


def is_true(value: object) -> bool:
    """Return whether a flag such as `error` is set, as a bool or as text."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def is_positive(value: object) -> bool:
    """Return whether a value is a number, or the text of one, above zero."""
    try:
        return float(value) > 0  # type: ignore[arg-type]  # what is no number raises
    except Exception:  # noqa: BLE001 - any value may be a tag
        return False
