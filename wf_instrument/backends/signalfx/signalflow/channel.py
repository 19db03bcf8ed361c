"""The messages of one computation on their way from the transport to who iterates.

Threads: the transport puts, one thread iterates, any may end or close it.
Locks: the queue's own.
Loss: what comes after the end is dropped; the queue is as long as the reader is behind.
"""

from __future__ import annotations

import queue
import secrets
import string
import threading
from typing import TYPE_CHECKING, Final, Protocol

from wf_instrument.backends.signalfx.signalflow.errors import SignalFlowException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wf_instrument.backends.signalfx.signalflow.messages import StreamMessage

    Payload = Mapping[str, object]

__all__ = ["ComputationChannel", "Transport", "channel_name"]

_LETTERS: Final = string.ascii_letters + string.digits
_RANDOM: Final = 8


def channel_name() -> str:
    """Return a new name, which fills the 16 bytes of a binary header."""
    return "channel-" + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))


class ComputationChannel:
    """Iterates over the messages of a computation, until its end.

    Args:
        name: Names it on the wire.
        on_close: Tells the service that nobody listens any more.

    Attributes:
        name: As given.
    """

    def __init__(self, name: str, on_close: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self._on_close = on_close
        self._messages: queue.SimpleQueue[StreamMessage | SignalFlowException | None] = (
            queue.SimpleQueue()
        )
        self._is_ended = threading.Event()

    def __iter__(self) -> Iterator[StreamMessage]:
        return self

    def __next__(self) -> StreamMessage:
        """Return the next message; waits for it.

        Raises:
            StopIteration: The channel ended.
            SignalFlowException: The service sent an error, or cannot be reached.
        """
        message = self._messages.get()
        if message is None or isinstance(message, SignalFlowException):
            self._messages.put(None)  # for the next call too
        if message is None:
            raise StopIteration
        if isinstance(message, SignalFlowException):
            raise message
        return message

    next = __next__

    @property
    def is_ended(self) -> bool:
        """Whether it takes no more messages."""
        return self._is_ended.is_set()

    def offer(self, message: StreamMessage) -> None:
        """Put a message, unless the channel ended."""
        if not self._is_ended.is_set():
            self._messages.put(message)

    def end(self, error: SignalFlowException | None = None) -> None:
        """End the iteration behind what was put, with an error if there is one."""
        if not self._is_ended.is_set():
            self._is_ended.set()
            self._messages.put(error)

    def close(self) -> None:
        """End the iteration, and tell the service; any thread may, also twice."""
        was_ended = self._is_ended.is_set()
        self.end()
        if not was_ended:
            self._on_close()


class Transport(Protocol):
    """Carries requests to the service. Any thread may call."""

    def execute(self, program: str, params: Payload) -> ComputationChannel:
        """Run a program."""

    def preflight(self, program: str, params: Payload) -> ComputationChannel:
        """Try a detector on the past."""

    def explain(self, incident_id: str, params: Payload) -> ComputationChannel:
        """Show the data and events behind an incident."""

    def start(self, program: str, params: Payload) -> None:
        """Run a program that nobody listens to."""

    def attach(self, handle: str, params: Payload) -> ComputationChannel:
        """Listen to a computation that runs."""

    def keepalive(self, handle: str) -> None:
        """Have a computation go on."""

    def stop(self, handle: str, params: Payload) -> None:
        """End a computation."""

    def close(self) -> None:
        """End all channels and close."""
