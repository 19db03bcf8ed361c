"""What metrics and tags may be called, and how other names are made to fit.

Source:
    Apptuit's client for Python, README, "Working with Apptuit Client" and "Restrictions on Tags".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.apptuit.exceptions import ApptuitConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "SANITIZERS",
    "is_valid_name",
    "sanitize_name_apptuit",
    "sanitize_name_prometheus",
    "sanitizer_of",
]

_CACHED: Final = 2048
_DIGITS: Final = frozenset("0123456789")
_NOT_PROMETHEUS: Final = re.compile(r"[^A-Za-z0-9_]")
_NOT_APPTUIT: Final = re.compile(r"[^-\w./]")
_SEVERAL: Final = re.compile(r"_{2,}")
_VALID: Final = re.compile(r"[-\w/.]+\Z")


@lru_cache(maxsize=_CACHED)
def sanitize_name_prometheus(name: str) -> str:
    """Return a name of ASCII letters, digits and underscores that begins with no digit."""
    if name[:1] in _DIGITS:
        name = f"_{name}"
    return _SEVERAL.sub("_", _NOT_PROMETHEUS.sub("_", name))


@lru_cache(maxsize=_CACHED)
def sanitize_name_apptuit(name: str) -> str:
    """Return a name of letters and digits of any script and `/`, `-`, `.`, `_`."""
    return _SEVERAL.sub("_", _NOT_APPTUIT.sub("_", name))


#: By mode.
SANITIZERS: Final[dict[str, Callable[[str], str]]] = {
    "apptuit": sanitize_name_apptuit,
    "prometheus": sanitize_name_prometheus,
}


def is_valid_name(name: str) -> bool:
    """Return whether a metric or tag key can go as it is."""
    return _VALID.match(name) is not None


def sanitizer_of(mode: str | None) -> Callable[[str], str] | None:
    """Return what makes names fit; None for no mode.

    Raises:
        ApptuitConfigError: There is no such mode.
    """
    if not mode:
        return None
    sanitizer = SANITIZERS.get(mode.lower()) if isinstance(mode, str) else None
    if sanitizer is None:
        raise ApptuitConfigError(
            f"sanitize_mode is {mode!r}; give one of {', '.join(SANITIZERS)}, or None"
        )
    return sanitizer
