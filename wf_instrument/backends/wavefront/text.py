"""Making names and values safe for a line: nothing from outside can end or break one."""

from __future__ import annotations

import re
from typing import Final

from wf_instrument.value_text import as_str

__all__ = [
    "clean_name",
    "clean_value",
    "in_quotes",
    "is_blank",
    "quoted_value",
    "sanitize",
    "sanitize_internal",
    "sanitize_value",
    "sanitize_without_quotes",
    "to_text",
]

#: What may stand in a name. Source: Wavefront data format, "Metric names".
_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9,\-._]")
#: Control characters, and what some readers take for a line's end.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: Lone surrogates have no UTF-8.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: Of any quote, the closing one too.
_BACKSLASHES_BEFORE_QUOTE: Final = re.compile(r'(\\+)(?="|\Z)')
_DELTAS: Final = "∆Δ"


def is_blank(text: object) -> bool:
    """Return whether a text is None, empty or white space; anything else is read as text."""
    return text is None or not (text if type(text) is str else to_text(text)).strip()


def to_text(value: object) -> str:
    """Return what a value reads as in a line.

    Raises:
        ValueError: It cannot be made text; whatever it raised itself is the cause.
    """
    try:
        return as_str(value)
    except Exception as exc:
        raise ValueError(f"a value of type {type(value).__name__} cannot be made text") from exc


def clean_name(string: object) -> str:
    """Return a metric name or tag key with `-` for what may not stand in it.

    The first character may be `~` or a delta, the second `~` after a delta.
    """
    lead = ""
    rest = to_text(string)
    if rest[:1] and rest[0] in _DELTAS:
        lead, rest = rest[0], rest[1:]
    if rest[:1] == "~":
        lead, rest = lead + "~", rest[1:]
    return lead + _NOT_IN_NAME.sub("-", rest)


def clean_value(string: object) -> str:
    r"""Return a source, tag value or span name on one line.

    Surrounding white space goes, a newline becomes the two characters `\n`; any other control
    character, and every other separator of lines, becomes `-`.
    """
    clean = _SURROGATE.sub("\ufffd", to_text(string).strip()).replace("\n", "\\n")
    return _CONTROL.sub("-", clean)


def quoted_value(clean: str) -> str:
    r"""Return what `clean_value` returned in quotes.

    `"` becomes `\"`. Backslashes in front of a quote, the closing one too, are doubled, since they
    would take away or lend it an escape.
    """
    if "\\" in clean:
        clean = _BACKSLASHES_BEFORE_QUOTE.sub(r"\1\1", clean)
    clean = clean.replace('"', '\\"')
    return in_quotes(clean)


def in_quotes(text: str) -> str:
    """Return a text in double quotes, as it is."""
    return f'"{text}"'


def sanitize_internal(string: str, add_quotes: bool) -> str:
    """Return a metric name or tag key, clean, in quotes if wanted."""
    clean = clean_name(string)
    return in_quotes(clean) if add_quotes else clean


def sanitize(string: str) -> str:
    """Return a metric name or tag key, clean and in quotes."""
    return in_quotes(clean_name(string))


def sanitize_without_quotes(string: str) -> str:
    """Return a metric name or tag key, clean."""
    return clean_name(string)


def sanitize_value(string: str) -> str:
    """Return a source, tag value or span name, clean and in quotes."""
    return quoted_value(clean_value(string))
