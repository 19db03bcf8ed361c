"""Posting one batch, and splitting it when the receiver does not like it as a whole.

Threads: any; nothing is locked. Who calls locks for `on_settled`.
Loss: a datum the receiver calls bad is dropped, and one that cannot be posted for a mistake when
    others can; see `_Faults`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import SendError
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.sender.batch import Batch
from wf_instrument.sender.retry import Remedy, remedy_for

if TYPE_CHECKING:
    from wf_instrument.sender.lane import Lane

__all__ = ["Deliver", "Delivery", "Undelivered"]

log = logging.getLogger(__name__)

#: So often in a row a delivery may fail by a mistake before single data are given up for it.
_FAULTY_TRIES: Final = 3
#: So many mistakes in one batch, and the rest waits: far more than it takes to find a bad datum.
_MOST_FAULTS: Final = 50
#: Posts one batch of one kind, within a time-out if one is given; raises SendError.
Deliver = Callable[[str, Batch, "float | None"], None]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What is left of a batch, and why.

    Attributes:
        rest: What is left.
        error: Why.
        is_fault: Whether it is a mistake, and not the receiver.
    """

    rest: Batch
    error: SendError
    is_fault: bool = False

    @property
    def is_nobody_there(self) -> bool:
        """Whether the receiver did not answer, and so would not for other kinds."""
        return self.error.status is None and not self.is_fault


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
        faults = _Faults(self.name, lane.faulty_tries)
        while (todo or faults.look_again(todo)) and not faults.are_hopeless:
            part = todo.pop()
            error = self._post(lane, part, deadline, faults)
            if error is None:
                faults.has_answer = True
                on_settled(part, True, faults.rest(todo))
                continue
            on_error(error)
            remedy = _remedy(error, len(part))
            if remedy is Remedy.RETRY:
                return Undelivered(faults.rest([*todo, part]), error)
            if remedy is Remedy.SPLIT:
                todo.extend(reversed(part.split()))
            elif remedy is Remedy.DROP:
                faults.has_answer = True
                self._tell_rejected(lane, len(part), error)
                on_settled(part, False, faults.rest(todo))
            else:
                faults.suspects.append(part)
        return faults.outcome(todo, on_settled)

    def _post(
        self, lane: Lane, part: Batch, deadline: float | None, faults: _Faults
    ) -> SendError | None:
        timeout_s = None if deadline is None else deadline - time.monotonic()
        try:
            self._deliver(lane.kind, part, timeout_s)
        except SendError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the worker
            caught(f"sender {self.name}", error)
            return faults.noted(error)
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

    def _tell_rejected(self, lane: Lane, count: int, error: SendError) -> None:
        if error.is_final:
            text = "%s: %d %s were dropped, not to be sent again: %s"
            self._log.warning(f"final {lane.kind}", text, self.name, count, lane.kind, error)
            return
        self._log.warning(
            f"rejected {lane.kind}",
            "%s: a datum of %s was rejected and dropped: %s",
            self.name,
            lane.kind,
            error,
        )


class _FaultError(SendError):
    """A mistake of ours, or of the application: it says nothing about the receiver."""


class _Faults:
    """The mistakes in delivering one batch: are they about single data, or about all?

    When the receiver answers about any of the batch, those of the data that fail by themselves are
    at fault, and given up after a second look.
    When none of it can be delivered the reason may be elsewhere, and pass: they are tried again,
    a few times.

    Args:
        name: Of the sender.
        tries: How often in a row it was like this before.

    Attributes:
        suspects: Single data that cannot be delivered.
        has_answer: Whether the receiver answered about any of the batch.
    """

    def __init__(self, name: str, tries: int) -> None:
        self._name = name
        self._is_last_try = tries >= _FAULTY_TRIES
        self._count = 0
        self._is_second_look = False
        self._error = _FaultError("")
        self.suspects: list[Batch] = []
        self.has_answer = False

    def noted(self, error: Exception) -> _FaultError:
        """Count a mistake and return it as what it means for the batch."""
        self._count += 1
        self._error = _FaultError(f"a delivery of {self._name} failed by {type(error).__name__}")
        return self._error

    @property
    def are_hopeless(self) -> bool:
        """Whether to go on is of no use now, since nothing of the batch can be delivered."""
        return self._count >= _MOST_FAULTS and not self.has_answer

    def rest(self, todo: list[Batch]) -> Batch:
        """Return what is still to be delivered, given what else is: a stack."""
        return _joined([*todo, *reversed(self.suspects)])

    def look_again(self, todo: list[Batch]) -> bool:
        """Have the suspects tried once more, at the end, if others could be delivered."""
        if self._is_second_look or not self.has_answer or not self.suspects:
            return False
        self._is_second_look = True
        todo.extend(reversed(self.suspects))
        self.suspects = []
        return True

    def outcome(
        self, todo: list[Batch], on_settled: Callable[[Batch, bool, Batch], None]
    ) -> Undelivered | None:
        """Give up the suspects if they are at fault; return what is left for another try."""
        if self.has_answer or self._is_last_try:
            while self.suspects:
                one = self.suspects.pop()
                on_settled(one, False, self.rest(todo))
        rest = self.rest(todo)
        return Undelivered(rest, self._error, is_fault=True) if rest.count else None


def _remedy(error: SendError, batch_size: int) -> Remedy | None:
    """Return what may help; None for a datum that a mistake keeps from being posted."""
    if isinstance(error, _FaultError):
        return Remedy.SPLIT if batch_size > 1 else None
    return remedy_for(error, batch_size)


def _joined(stack: list[Batch]) -> Batch:
    """Return what a stack holds, its top first."""
    return Batch(block for batch in reversed(stack) for block in batch.blocks)
