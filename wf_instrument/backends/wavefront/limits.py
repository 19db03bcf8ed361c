"""What the service accepts, and what to do about data beyond it.

Source:
    Wavefront data format, "Limits"; the service rejects what is beyond them without an answer.

Threads: any. Counters may miss one of two violations counted in the same instant by two threads.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final, Literal, cast, get_args

from wf_instrument.errors import ConfigError
from wf_instrument.guard import RateLimitedLog

__all__ = [
    "MAX_HISTOGRAM_NAME",
    "MAX_METRIC_NAME",
    "MAX_POINT_TAGS",
    "MAX_POINT_TAG_KEY",
    "MAX_POINT_TAG_PAIR",
    "MAX_SOURCE",
    "MAX_SPAN_KEY",
    "MAX_SPAN_NAME",
    "MAX_SPAN_TAGS",
    "MAX_SPAN_VALUE",
    "ValidationMode",
    "Validator",
    "validation_mode",
]

log = logging.getLogger(__name__)

#: `off` looks at nothing, `warn` sends as it is, `truncate` cuts, `strict` refuses.
ValidationMode = Literal["off", "warn", "truncate", "strict"]

# Characters.
MAX_METRIC_NAME: Final = 256
MAX_HISTOGRAM_NAME: Final = 128
MAX_SPAN_NAME: Final = 128
MAX_SOURCE: Final = 128
MAX_POINT_TAG_KEY: Final = 64
#: Key, `=` and value together.
MAX_POINT_TAG_PAIR: Final = 255
MAX_SPAN_KEY: Final = 128
MAX_SPAN_VALUE: Final = 128
# Numbers of tags.
MAX_POINT_TAGS: Final = 20
MAX_SPAN_TAGS: Final = 20

#: In ASCII, so that it may stand in names too.
_ELLIPSIS: Final = "..."
#: Names warned of by one validator; further ones are counted without a word.
_MAX_WARNED: Final = 1000


def validation_mode(text: str) -> ValidationMode:
    """Read a mode.

    Raises:
        ConfigError: There is no such mode.
    """
    for mode in get_args(ValidationMode):
        if text == mode:
            return cast("ValidationMode", mode)
    raise ConfigError(f"validation is {text!r}; give one of {', '.join(get_args(ValidationMode))}")


class Validator:
    """Holds texts against the limits.

    Args:
        mode: See `ValidationMode`.

    Attributes:
        violations: How often each limit was broken, by what was too long or too many.

    Raises:
        ConfigError: There is no such mode.
    """

    def __init__(self, mode: ValidationMode = "truncate") -> None:
        self.mode: Final = validation_mode(mode)
        self.violations: Counter[str] = Counter()
        self._warned: set[tuple[str, str]] = set()
        self._log = RateLimitedLog(log)

    def fit(self, what: str, of: str, text: str, limit: int) -> tuple[str, bool]:
        """Return a text as it may be sent, and whether it is within its limit.

        Args:
            what: What the text is, `metric name` for example.
            of: The name of the datum, for the message.
            text: The text.
            limit: Characters.

        Raises:
            ValueError: It is too long, and the mode is `strict`.
        """
        if len(text) <= limit or self.mode == "off":
            return text, True
        self._violated(what, of, f"{len(text)} characters, {limit} are accepted")
        if self.mode == "truncate":
            # A limit that a long key leaves nothing of still leaves one character.
            kept = text[: max(limit - len(_ELLIPSIS), 1)].rstrip()
            return (kept + _ELLIPSIS)[: max(limit, 1)], False
        return text, False

    def fit_number(self, what: str, of: str, number: int, limit: int) -> int:
        """Return how many of so many tags may be sent.

        Raises:
            ValueError: They are too many, and the mode is `strict`.
        """
        if number <= limit or self.mode == "off":
            return number
        self._violated(what, of, f"there are {number}, {limit} are accepted")
        return limit if self.mode == "truncate" else number

    def _violated(self, what: str, of: str, said: str) -> None:
        self.violations[what] += 1
        shown = of if len(of) <= 100 else of[:97] + _ELLIPSIS
        if self.mode == "strict":
            raise ValueError(f"{what} of {shown!r} is beyond the service's limit: {said}")
        key = (what, shown)
        if key in self._warned or len(self._warned) >= _MAX_WARNED:
            return
        self._warned.add(key)
        # Once a name by the set above, and once a minute over all names.
        self._log.warning(what, "%s of %r is beyond the service's limit: %s", what, shown, said)
