"""What runs on our own account, or within a call that is recorded already, is not recorded."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SUPPRESSED", "is_suppressed", "suppressed"]

SUPPRESSED: Final[ContextVar[bool]] = ContextVar("wf_instrument_suppressed", default=False)


def is_suppressed() -> bool:
    """Return whether what runs now is this library's own work, or within a recorded call."""
    return SUPPRESSED.get()


@contextmanager
def suppressed() -> Iterator[None]:
    """Record no outgoing call that is made in this block."""
    token = SUPPRESSED.set(True)
    try:
        yield
    finally:
        SUPPRESSED.reset(token)
