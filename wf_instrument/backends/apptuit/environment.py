"""What the client reads from environment variables, the deprecated names with a warning.

Source:
    Apptuit's client for Python, README, "Configuration".
"""

from __future__ import annotations

import os
import re
import warnings
from typing import Final

from wf_instrument.backends.apptuit.exceptions import ApptuitConfigError
from wf_instrument.backends.apptuit.names import is_valid_name

__all__ = [
    "APPTUIT_PY_TAGS",
    "APPTUIT_PY_TOKEN",
    "DEPRECATED_APPTUIT_PY_TAGS",
    "DEPRECATED_APPTUIT_PY_TOKEN",
    "DISABLE_HOST_TAG",
    "is_host_tag_disabled",
    "parse_tags",
    "strtobool",
    "tags_from_environment",
    "token_from_environment",
]

APPTUIT_PY_TOKEN: Final = "APPTUIT_API_TOKEN"  # noqa: S105 - a variable's name
APPTUIT_PY_TAGS: Final = "APPTUIT_TAGS"
DEPRECATED_APPTUIT_PY_TOKEN: Final = "APPTUIT_PY_TOKEN"  # noqa: S105 - as above
DEPRECATED_APPTUIT_PY_TAGS: Final = "APPTUIT_PY_TAGS"
DISABLE_HOST_TAG: Final = "APPTUIT_DISABLE_HOST_TAG"

_TRUE: Final = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE: Final = frozenset({"n", "no", "f", "false", "off", "0"})
#: A key and a value in quotes; or whatever stands up to the next comma.
_PIECE: Final = re.compile(
    r'\s*(?P<key>[^:,]*):\s*"(?P<quoted>(?:[^"\\]|\\.)*)"\s*(?=,|\Z)|(?P<bare>[^,]*)'
)


def strtobool(val: str) -> int:
    """Return 1 for `y yes t true on 1`, 0 for `n no f false off 0`, in any case.

    Raises:
        ApptuitConfigError: It is none of them; also a `ValueError`.
    """
    word = val.lower()
    if word in _TRUE:
        return 1
    if word in _FALSE:
        return 0
    raise ApptuitConfigError(f"{val!r} is neither true nor false; give one of yes, no, 1, 0, ...")


def token_from_environment() -> str:
    """Return the token that a variable holds; empty when none does."""
    return _read(APPTUIT_PY_TOKEN, DEPRECATED_APPTUIT_PY_TOKEN)


def tags_from_environment() -> dict[str, str]:
    """Return the tags that a variable holds.

    Raises:
        ApptuitConfigError: See `parse_tags`.
    """
    return parse_tags(_read(APPTUIT_PY_TAGS, DEPRECATED_APPTUIT_PY_TAGS))


def is_host_tag_disabled() -> bool:
    """Return whether a variable says that there should be no tag `host`.

    Raises:
        ApptuitConfigError: It says something else.
    """
    text = os.environ.get(DISABLE_HOST_TAG, "")
    try:
        return bool(text) and bool(strtobool(text))
    except ApptuitConfigError as exc:
        raise ApptuitConfigError(f"{DISABLE_HOST_TAG}: {exc.msg}") from None


def parse_tags(text: str) -> dict[str, str]:
    """Read `key1: value1, key2: "value, 2"`; of a repeated key the last counts.

    The first colon ends the key. A value that holds a comma stands in double quotes, in which a
    backslash goes before a double quote or another backslash.

    Raises:
        ApptuitConfigError: A piece has no colon, or a key that cannot be one.
    """
    tags: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:  # cannot be: the second half matches anything
            break
        at = found.end() + 1
        if found["quoted"] is not None:
            key, value = found["key"].strip(), re.sub(r"\\(.)", r"\1", found["quoted"])
        else:
            piece = found["bare"].strip()
            if not piece:
                continue
            key, colon, value = (part.strip() for part in piece.partition(":"))
            if not colon:
                raise ApptuitConfigError(
                    f"{APPTUIT_PY_TAGS} has {piece!r}, which is no tag; write key1: value1, ..."
                )
        if not is_valid_name(key):
            raise ApptuitConfigError(
                f"{APPTUIT_PY_TAGS} has the key {key!r}; give letters, digits and . - _ / only"
            )
        tags[key] = value
    return tags


def _read(name: str, deprecated: str) -> str:
    text = os.environ.get(name)
    if text:
        return text
    text = os.environ.get(deprecated)
    if text:
        warnings.warn(
            f"the environment variable {deprecated} is deprecated; set {name}",
            DeprecationWarning,
            stacklevel=4,
        )
    return text or ""
