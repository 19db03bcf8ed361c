"""Metric names as the service takes them.

Source:
    Librato API reference, "Metrics": 255 characters of `A-Za-z0-9.:-_`.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["sanitize_metric_name", "sanitize_no_op"]

_LONGEST: Final = 255
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9.:\-_]+")


def sanitize_no_op(metric_name: str) -> str:
    """Return the name as it is."""
    return metric_name


def sanitize_metric_name(metric_name: str) -> str:
    """Return the name with each run of other characters as one `-`, cut to 255 characters."""
    return _FOREIGN.sub("-", metric_name)[:_LONGEST]
