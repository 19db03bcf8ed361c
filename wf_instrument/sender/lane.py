"""One kind of data on its way: what waits, what became of it, and when to try again.

Its owner locks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wf_instrument.sender.bounded_buffer import BoundedBuffer, KindCounts
from wf_instrument.sender.retry import Backoff

if TYPE_CHECKING:
    from wf_instrument.errors import SendError

__all__ = ["Lane"]


@dataclass(slots=True)
class Lane:
    """The state of one kind.

    Attributes:
        failures: Failed tries since the last success; 0 while all is well.
        not_before_s: Monotonic time before which there is no further try.
        is_told_to_wait: Whether the receiver itself asked for that pause; a flush respects it.
    """

    kind: str
    buffer: BoundedBuffer
    counts: KindCounts = field(default_factory=KindCounts)
    failures: int = 0
    not_before_s: float = 0.0
    is_told_to_wait: bool = False
    _backoff: Backoff = field(default_factory=Backoff)

    @property
    def is_pressed(self) -> bool:
        """Whether so much waits that it should go early; not while tries fail."""
        return self.buffer.is_half_full and not self.failures

    @property
    def is_retrying(self) -> bool:
        """Whether data wait for another try."""
        return bool(self.buffer) and self.failures > 0

    def is_ready(self, *, is_forced: bool) -> bool:
        """Whether data wait, and may be tried now."""
        if not self.buffer:
            return False
        if is_forced and not self.is_told_to_wait:
            return True
        return time.monotonic() >= self.not_before_s

    def count_error(self, error: SendError) -> None:
        """Count a request that failed."""
        self.counts.errors += 1
        if error.status is not None:
            self.counts.statuses[error.status] += 1

    def succeeded(self) -> None:
        """Try the next batch without a pause."""
        self.failures = 0
        self.not_before_s = 0.0
        self.is_told_to_wait = False
        self._backoff.reset()

    def failed(self, error: SendError) -> None:
        """Pause before the next try."""
        self.failures += 1
        pause_s = self._backoff.next_pause_s(error.retry_after_s)
        self.not_before_s = time.monotonic() + pause_s
        self.is_told_to_wait = error.retry_after_s is not None
