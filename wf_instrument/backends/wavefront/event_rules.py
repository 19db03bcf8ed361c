"""What an event's tags and annotations must be, for programs that check before they send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wf_instrument.backends.wavefront.text import is_blank

__all__ = ["validate_annotations", "validate_tags"]


def validate_tags(tags: Iterable[str] | Mapping[str, str] | None) -> None:
    """Check the words that tag an event, or point tags when given as a mapping.

    Raises:
        ValueError: One of them is blank.
    """
    if isinstance(tags, Mapping):
        _validate_pairs("tag", tags)
        return
    for tag in [tags] if isinstance(tags, str) else tags or ():
        if is_blank(tag):
            raise ValueError(f"a tag is {tag!r}; it must not be blank")


def validate_annotations(annotations: Mapping[str, str] | None) -> None:
    """Check the annotations of an event.

    Raises:
        ValueError: A key or a value is blank.
    """
    _validate_pairs("annotation", annotations or {})


def _validate_pairs(what: str, pairs: Mapping[str, str]) -> None:
    for key, value in pairs.items():
        if is_blank(key) or is_blank(value):
            raise ValueError(f"{what} {key!r} is {value!r}; neither may be blank")
