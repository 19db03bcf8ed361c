"""What to do about a batch that was not taken."""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.errors import SendError

__all__ = ["FIRST_PAUSE_S", "Backoff", "Remedy", "reasonable_pause_s", "remedy_for"]

#: Answers about what the batch holds: another try changes nothing, fewer data may.
#: Source: RFC 9110, 400, 406, 413, 415 and 422; Wavefront answers 406 to a batch with a bad line.
_ABOUT_THE_BATCH: Final = frozenset({400, 406, 413, 415, 422})
FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 60.0
#: A receiver that asks for more than this is asked again earlier.
_LONGEST_RETRY_AFTER_S: Final = 600.0


class Remedy(Enum):
    """What may help."""

    RETRY = "retry"
    SPLIT = "split"
    DROP = "drop"


def remedy_for(error: SendError, batch_size: int) -> Remedy:
    """Return what to do with a batch of so many data that failed with `error`.

    A batch with a bad datum (400, 406), or too large (413), is split to save the rest; alone, the
    datum is dropped. Everything else is about the receiver, the way to it or the token (no answer,
    a redirect, 401, 404, 429, 5xx): the data are good and keep their place until it is mended. A
    client that must not send them again says so by `is_final`.
    """
    if error.is_final:
        return Remedy.DROP
    if error.status not in _ABOUT_THE_BATCH:
        return Remedy.RETRY
    return Remedy.SPLIT if batch_size > 1 else Remedy.DROP


def reasonable_pause_s(retry_after_s: float | None) -> float:
    """Return the pause that a receiver asked for, within reason; 0 when it asked for none."""
    return min(retry_after_s or 0.0, _LONGEST_RETRY_AFTER_S)


class Backoff:
    """Pauses that double, with jitter, up to a minute, or what is given."""

    def __init__(
        self, first_pause_s: float = FIRST_PAUSE_S, longest_pause_s: float = _LONGEST_PAUSE_S
    ) -> None:
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._pause_s = 0.0

    def next_pause_s(self, retry_after_s: float | None) -> float:
        """Return how long to wait before the next try; the receiver's own word is a minimum."""
        self._pause_s = min(max(self._pause_s * 2, self._first_pause_s), self._longest_pause_s)
        pause_s = self._pause_s * random.uniform(0.75, 1.25)
        return max(pause_s, reasonable_pause_s(retry_after_s))

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._pause_s = 0.0
