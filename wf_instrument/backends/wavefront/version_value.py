"""A version as the value of a metric."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["get_sem_ver_value"]

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?![\d.])")


def get_sem_ver_value(version: str | None) -> str:
    """Return `1.1001` for `1.10.1`: minor and patch padded to two digits; `0.0` for no version."""
    found = _VERSION.match(str(version or "").strip())
    if found is None:
        return "0.0"
    major, minor, patch = found.groups()
    return f"{int(major)}.{minor:0>2}{patch:0>2}"
