"""Versions of installed packages, also as the value of a metric."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Final

from wf_instrument.backends.wavefront.text import is_blank

__all__ = ["get_sem_ver", "get_sem_ver_value", "get_version"]

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?![\d.])")


def get_sem_ver_value(version: str | None) -> str:
    """Return `1.1001` for `1.10.1`: minor and patch padded to two digits; `0.0` for no version."""
    found = _VERSION.match(str(version or "").strip())
    if found is None:
        return "0.0"
    major, minor, patch = found.groups()
    return f"{int(major)}.{minor:0>2}{patch:0>2}"


def get_version(dist_name: str) -> str:
    """Return the version of an installed distribution, as `v1.2.3`; `unknown` for no such one."""
    # To Python 3.10 a blank name means any distribution.
    if is_blank(dist_name):
        return "unknown"
    try:
        return f"v{metadata.version(dist_name)}"
    except metadata.PackageNotFoundError:
        return "unknown"


def get_sem_ver(dist_name: str) -> str:
    """Return the version of an installed distribution as `get_sem_ver_value` writes it."""
    return get_sem_ver_value(get_version(dist_name))
