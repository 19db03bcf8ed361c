"""What the ingest service takes as names, values and dimensions.

Every error here is raised to the caller of `send`, before anything of the call is queued. The
service's own limits are apart: beyond them it drops a point without a word, which is told once a
minute and counted, or refused if so wished.

Threads: any; counting may lose one of two that come at the same instant.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final, Literal

from wf_instrument.backends.signalfx.constants import (
    INTEGER_MAX,
    INTEGER_MIN,
    SUPPORTED_EVENT_CATEGORIES,
)
from wf_instrument.errors import ConfigError
from wf_instrument.guard import RateLimitedLog

__all__ = ["LimitCheck", "LimitMode", "checked_dimensions", "checked_integer", "checked_kind"]

log = logging.getLogger(__name__)

LimitMode = Literal["warn", "raise", "off"]

# Source: the vendor's developer pages, "Metric name standards" and "Dimension criteria".
MAX_METRIC: Final = 256
MAX_DIMENSION_NAME: Final = 128
MAX_DIMENSION_VALUE: Final = 256
MAX_DIMENSIONS: Final = 36
_DIMENSION_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
RESERVED_PREFIXES: Final = ("sf_", "aws_", "gcp_", "azure_")
#: Names with a reserved prefix that the service means its users to send.
_OWN: Final = frozenset({"sf_hires", "gcp_id", "azure_resource_id"})


class LimitCheck:
    """Checks names against the limits of the service.

    Args:
        mode: `warn` sends what is beyond a limit all the same, tells it and counts it; `raise`
            refuses it with a `ValueError`; `off` looks at nothing.

    Attributes:
        beyond: How often something was found beyond a limit.
    """

    def __init__(self, mode: LimitMode) -> None:
        if mode not in ("warn", "raise", "off"):
            raise ConfigError(f"limits={mode!r}; give 'warn', 'raise' or 'off'")
        self.mode = mode
        self.beyond = 0
        self._log = RateLimitedLog(log)

    def metric(self, name: str) -> bool:
        """Return whether a metric's name is within the limits."""
        return self._says(
            0 < len(name) <= MAX_METRIC,
            "a metric name has %d characters; the service takes 1 to %d", len(name), MAX_METRIC,
        )  # fmt: skip

    def dimension(self, name: str, value: str) -> bool:
        """Return whether a dimension is within the limits."""
        is_name = (
            len(name) <= MAX_DIMENSION_NAME
            and _DIMENSION_NAME.match(name) is not None
            and (name in _OWN or not name.startswith(RESERVED_PREFIXES))
        )
        if not is_name:
            return self._says(
                False,
                "dimension name %r; the service takes a letter, then letters, digits, _ and -, "
                "%d at most, and no reserved prefix", name[:40], MAX_DIMENSION_NAME,
            )  # fmt: skip
        return self._says(
            0 < len(value) <= MAX_DIMENSION_VALUE,
            "the value of dimension %r has %d characters; the service takes 1 to 256",
            name, len(value),
        )  # fmt: skip

    def count(self, dimensions: int) -> bool:
        """Return whether a point has no more dimensions than the service takes."""
        return self._says(
            dimensions <= MAX_DIMENSIONS,
            "a point has %d dimensions; the service takes %d", dimensions, MAX_DIMENSIONS,
        )  # fmt: skip

    def _says(self, is_within: bool, text: str, *args: object) -> bool:
        if is_within or self.mode == "off":
            return True
        self.beyond += 1
        if self.mode == "raise":
            raise ValueError(text % args)
        self._log.warning(text, "SignalFx may drop data without a word: " + text, *args)
        return False


def checked_kind(name: str, points: object) -> list[dict[str, Any]]:
    """Return a list of points as given.

    Raises:
        TypeError: It is no list.
    """
    if not isinstance(points, list):
        raise TypeError(f"{name} is a {type(points).__name__}; give a list of dicts")
    return points


def checked_integer(value: int) -> int:
    """Return an integer that fits into 64 bits.

    Raises:
        ValueError: It does not.
    """
    if INTEGER_MIN <= value <= INTEGER_MAX:
        return value
    shown = str(value) if value.bit_length() < 256 else f"an integer of {value.bit_length()} bits"
    raise ValueError(f"value {shown} is not from {INTEGER_MIN} to {INTEGER_MAX}")


def checked_dimensions(dimensions: object) -> dict[str, str]:
    """Return dimensions as given.

    Raises:
        ValueError: They are no dict.
    """
    if not isinstance(dimensions, dict):
        raise ValueError(f"dimensions are a {type(dimensions).__name__}; give a dict of strings")
    return dimensions


def checked_category(category: str | None) -> str | None:
    """Return an event's category, None for none.

    Raises:
        ValueError: The service knows no such category.
    """
    if not category:
        return None
    if category not in SUPPORTED_EVENT_CATEGORIES:
        raise ValueError(
            f"event category {category!r}; give one of {', '.join(SUPPORTED_EVENT_CATEGORIES)}"
        )
    return category
