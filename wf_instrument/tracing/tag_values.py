"""What tags say, whatever the application put in: flags, numbers, and plain text by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.value_text import MAX_TEXT, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["is_blank", "is_positive", "is_true", "plain_tags"]


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
            if not (type(key) is str and key.isascii() and len(key) <= MAX_TEXT):
                key = text_of(key) or "?"
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
