r"""Names and tags as tagged measurements have them: within the alphabets, cut to size; no I/O.

Source:
    Librato API reference, "Measurement restrictions": a tag's name is `[-.:_\w]{1,64}`, its value
    `[-.:_?\\/\w ]{1,255}`, both kept in lower case; 50 tags a measurement.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.librato.sanitizer import sanitize_metric_name

if TYPE_CHECKING:
    from wf_instrument.reporting.snapshot import Tags

__all__ = ["metric_name", "route_value", "wire_tags"]

_LONGEST_TAG_NAME: Final = 64
_LONGEST_TAG_VALUE: Final = 255
_MOST_TAGS: Final = 50
_NOT_IN_NAMES: Final = re.compile(r"[^-.:_\w]+", re.ASCII)
_NOT_IN_VALUES: Final = re.compile(r"[^-.:_?\\/\w ]+", re.ASCII)
#: The marks of a parameter, which the alphabet lacks: `/users/{id}`, `/users/<int:id>`.
_PARAMETER: Final = re.compile(r"[{<]([^{}<>]*)[}>]")


@lru_cache(maxsize=4096)
def metric_name(name: str) -> str:
    """Return a metric's name as the service takes it."""
    return sanitize_metric_name(name) or "unnamed"


def route_value(route: str) -> str:
    """Return a route's template as the value of a tag: parameters as `:name`."""
    return _PARAMETER.sub(lambda match: f":{match[1].rpartition(':')[2]}", route)


@lru_cache(maxsize=4096)
def wire_tags(tags: Tags) -> Tags:
    """Return tags as the service takes and keeps them, without blank ones; the first 50."""
    clean: dict[str, str] = {}
    for name, value in tags:
        if name.strip() and value.strip():
            clean_name = _NOT_IN_NAMES.sub("-", name.lower())[:_LONGEST_TAG_NAME]
            # Without what cutting may leave at the end, which the service would not keep.
            clean_value = _NOT_IN_VALUES.sub("-", value.lower())[:_LONGEST_TAG_VALUE].strip()
            clean[clean_name] = clean_value
    return tuple(list(clean.items())[:_MOST_TAGS])
