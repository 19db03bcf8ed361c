"""The library that is instrumented: it sends parcels."""

from __future__ import annotations

__all__ = ["send"]


def send(to: str) -> str:
    """Send one."""
    return f"sent to {to}"
