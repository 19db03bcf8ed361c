"""What became of data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["KindCounts"]


@dataclass(slots=True)
class KindCounts:
    """What became of the data of one kind; read without a lock, exact when idle.

    `valid` is `delivered + rejected + dropped - refused + spooled - unspooled` and what waits.

    Attributes:
        valid: Taken in.
        invalid: Refused before, because no line could be made of them.
        dropped: Lost: refused by a full or closed buffer, left at the end, or the oldest of a
            full spool.
        refused: Those of the dropped that were never taken in.
        delivered: Taken by the receiver, from memory or from the spool.
        rejected: Called bad by the receiver, one by one.
        spooled: Written to the spool.
        unspooled: Out of the spool again: settled, or dropped from it; those of other processes
            included.
        errors: Requests that failed.
        statuses: Failed requests by HTTP status.
        last_success_s: Unix time of the last request that succeeded; 0.0 before the first.
    """

    valid: int = 0
    invalid: int = 0
    dropped: int = 0
    refused: int = 0
    delivered: int = 0
    rejected: int = 0
    spooled: int = 0
    unspooled: int = 0
    errors: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    last_success_s: float = 0.0
