"""How much a sender keeps, and when it sends."""

from __future__ import annotations

from dataclasses import dataclass

from wf_instrument.sender.retry import FIRST_PAUSE_S

__all__ = ["SenderLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderLimits:
    """How much waits, and for how long.

    Attributes:
        queue_size: Data of one kind that may wait.
        queue_bytes: Bytes of one kind that may wait.
        batch_size: Data of one request at most.
        batch_bytes: Bytes of one request at most, before compression.
        flush_interval_s: Seconds between two deliveries; a full batch, or half a queue, goes at
            once.
        block_s: Seconds that `put` waits for room in a full queue; 0 refuses at once.
        first_pause_s: Seconds before the second try; it doubles up to a minute.
    """

    queue_size: int = 50_000
    queue_bytes: int = 64 * 1024 * 1024
    batch_size: int = 10_000
    batch_bytes: int = 4_000_000
    flush_interval_s: float = 5.0
    block_s: float = 0.0
    first_pause_s: float = FIRST_PAUSE_S
