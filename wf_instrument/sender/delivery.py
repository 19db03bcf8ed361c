"""Posting one batch, and splitting it when the receiver does not like it as a whole.

Threads: any; nothing is locked. Who calls locks for `on_settled`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wf_instrument.errors import SendError
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.sender.batch import Batch
from wf_instrument.sender.retry import Remedy, remedy_for

if TYPE_CHECKING:
    from wf_instrument.sender.lane import Lane

__all__ = ["Deliver", "Delivery", "Undelivered"]

log = logging.getLogger(__name__)

#: Posts one batch of one kind, within a time-out if one is given; raises SendError.
Deliver = Callable[[str, Batch, "float | None"], None]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What is left of a batch, and why."""

    rest: Batch
    error: SendError


class Delivery:
    """Delivers batches for one sender.

    Args:
        name: For log lines.
        deliver: Posts a batch.
    """

    def __init__(self, name: str, deliver: Deliver) -> None:
        self.name = name
        self._deliver = deliver
        self._log = RateLimitedLog(log)

    def run(
        self,
        lane: Lane,
        batch: Batch,
        deadline: float | None,
        on_settled: Callable[[Batch, bool, Batch], None],
        on_error: Callable[[SendError], None],
    ) -> Undelivered | None:
        """Deliver a batch; return what is left for another try, None when it is settled.

        Args:
            lane: Whose data they are.
            batch: The data.
            deadline: Monotonic time, or None.
            on_settled: Called for each part that is settled, with whether it was delivered, and
                with what is still to be.
            on_error: Called for each request that failed.
        """
        todo = [batch]
        while todo:
            part = todo.pop()
            timeout_s = None if deadline is None else deadline - time.monotonic()
            try:
                self._deliver(lane.kind, part, timeout_s)
            except SendError as error:
                on_error(error)
                remedy = remedy_for(error, len(part))
                if remedy is Remedy.RETRY:
                    return Undelivered(_joined([*todo, part]), error)
                if remedy is Remedy.SPLIT:
                    todo.extend(reversed(part.split()))
                    continue
                self._tell_rejected(lane, error)
                on_settled(part, False, _joined(todo))
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the worker
                caught(f"sender {self.name}", error)
                on_settled(part, False, _joined(todo))
            else:
                on_settled(part, True, _joined(todo))
        return None

    def tell_waiting(self, lane: Lane, undelivered: Undelivered) -> None:
        """Log that data wait for another try, at most once a minute."""
        error = undelivered.error
        if error.status in {401, 403}:
            self._log.warning(
                f"token {lane.kind}",
                "%s: the token was refused, %d %s wait: %s",
                self.name,
                len(undelivered.rest),
                lane.kind,
                error,
            )
        else:
            self._log.warning(
                f"retry {lane.kind}",
                "%s: %d %s wait for another try: %s",
                self.name,
                len(undelivered.rest),
                lane.kind,
                error,
            )

    def _tell_rejected(self, lane: Lane, error: SendError) -> None:
        self._log.warning(
            f"rejected {lane.kind}",
            "%s: a datum of %s was rejected and dropped: %s",
            self.name,
            lane.kind,
            error,
        )


def _joined(stack: list[Batch]) -> Batch:
    """Return what a stack holds, its top first."""
    return Batch(block for batch in reversed(stack) for block in batch.blocks)
