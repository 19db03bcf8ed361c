"""What to do about a batch that was not taken."""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.errors import SendError

__all__ = ["Backoff", "Remedy", "remedy_for"]

#: Answers that another try may change.
#: Source: RFC 9110, 408, 429 and the 5xx class; Wavefront, 401/403 until a token is renewed.
_RETRY: Final = frozenset({401, 403, 408, 429})
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 60.0


class Remedy(Enum):
    """What may help."""

    RETRY = "retry"
    SPLIT = "split"
    DROP = "drop"


def remedy_for(error: SendError, batch_size: int) -> Remedy:
    """Return what to do with a batch of so many data that failed with `error`.

    A batch with a bad datum (400, 406), or too large (413), is split to save the rest.
    """
    status = error.status
    if status is None or status >= 500 or status in _RETRY:
        return Remedy.RETRY
    if status in {400, 406, 413} and batch_size > 1:
        return Remedy.SPLIT
    return Remedy.DROP


class Backoff:
    """Pauses that double, with jitter, up to a minute."""

    def __init__(self) -> None:
        self._pause_s = 0.0

    def next_pause_s(self, retry_after_s: float | None) -> float:
        """Return how long to wait before the next try; the receiver's own word is a minimum."""
        self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        pause_s = self._pause_s * random.uniform(0.75, 1.25)
        return max(pause_s, min(retry_after_s or 0.0, 600.0))

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._pause_s = 0.0
