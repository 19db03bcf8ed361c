"""A computation that the service runs: its messages, and what they say about it.

Threads: one iterates over `stream`; any may read the attributes, and `close`.
Locks: `_lock` guards which channel is the current one; nothing waits while it is held.
Loss: none in `stream`. When the connection is lost the program is executed again from the last
    time handed out; what then comes a second time is left out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.signalfx.signalflow import messages
from wf_instrument.backends.signalfx.signalflow.batches import Batches
from wf_instrument.backends.signalfx.signalflow.computation_facts import ComputationFacts
from wf_instrument.backends.signalfx.signalflow.errors import (
    ComputationAborted,
    ComputationFailed,
    SignalFlowConnectionError,
    SignalFlowException,
)
from wf_instrument.backends.signalfx.signalflow.result_table import ResultTable
from wf_instrument.guard import guard
from wf_instrument.sender.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel
    from wf_instrument.backends.signalfx.signalflow.messages import DataMessage, StreamMessage

__all__ = ["Computation"]

log = logging.getLogger(__name__)

MAX_RECONNECTS: Final = 10
#: A connection that held so long was a good one.
_LASTING_S: Final = 60.0
#: Of so many events it is remembered that they were handed out.
_MAX_EVENTS: Final = 10_000
_SERVER_ERROR: Final = 500
_TOO_MANY_REQUESTS: Final = 429


class Computation(ComputationFacts):
    """Runs from its construction on.

    Args:
        exec_fn: Starts it, from a time if one is given, and returns its channel.
        replays: Whether a new start brings again what came since that time; not with `attach`.
        max_reconnects: So many new starts in a row that bring no data, and it is given up.
        first_pause_s: Seconds before the first new start; they double up to a minute.
        on_reconnect: Called with the number of the new start, before it.

    Attributes:
        state: One of the constants.
        last_logical_ts: The time of the last data handed out, milliseconds; None before.
        reconnects: How often it was started anew.
    """

    STATE_UNKNOWN: Final = 0
    STATE_STREAM_STARTED: Final = 1
    STATE_COMPUTATION_STARTED: Final = 2
    STATE_DATA_RECEIVED: Final = 3
    STATE_COMPLETED: Final = 4
    STATE_ABORTED: Final = 5

    def __init__(
        self,
        exec_fn: Callable[[int | None], ComputationChannel],
        *,
        replays: bool = True,
        max_reconnects: int = MAX_RECONNECTS,
        first_pause_s: float = 0.5,
        on_reconnect: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self._exec_fn = exec_fn
        self._replays = replays
        self._max_reconnects = max_reconnects
        self._on_reconnect = on_reconnect
        self._backoff = Backoff(first_pause_s)
        self._failures = 0
        self._batches = Batches()
        self._seen_until_ms: int | None = None
        self._events: OrderedDict[tuple[str | None, int | None, str], None] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.state = self.STATE_UNKNOWN
        self.last_logical_ts: int | None = None
        self.reconnects = 0
        self._begun_s = time.monotonic()
        self._channel = exec_fn(None)

    def stream(self) -> Iterator[StreamMessage]:
        """Yield the messages, data complete for each time, until the computation ends or is closed.

        Raises:
            ComputationAborted: The service ended it.
            ComputationFailed: The service answered with errors.
            SignalFlowException: It was refused, or the service cannot be reached again.
        """
        while not self._closed.is_set():
            try:
                for message in self._channel:
                    yield from self._taken(message)
                    if self._closed.is_set():
                        return
            except SignalFlowException:
                if self._closed.is_set():
                    return
                self.state = self.STATE_ABORTED
                raise
            if self.state >= self.STATE_COMPLETED or self._closed.is_set():
                return
            yield from self._interrupted()
            self._reconnect()

    def close(self) -> None:
        """End it here and tell the service; any thread may, and `stream` then ends."""
        with self._lock:
            self._closed.set()
            channel = self._channel
        if self.state < self.STATE_COMPLETED:
            self.state = self.STATE_COMPLETED
        channel.close()

    def to_table(self, max_rows: int | None = None) -> ResultTable:
        """Read the stream into a table, a row for each time.

        Args:
            max_rows: After so many rows the computation is closed; None waits for its end.
        """
        table = ResultTable(self)
        for message in self.stream():
            if isinstance(message, messages.DataMessage):
                table.add(message)
                if max_rows is not None and len(table.rows) >= max_rows:
                    self.close()
        return table

    def to_df(self, max_rows: int | None = None) -> Any:
        """Read the stream into a pandas `DataFrame`, see `to_table`; needs pandas."""
        return self.to_table(max_rows).to_df()

    def _taken(self, message: StreamMessage) -> Iterator[StreamMessage]:
        """Yield what a message brings."""
        if isinstance(message, messages.DataMessage):
            self.state = max(self.state, self.STATE_DATA_RECEIVED)
            yield from self._data(message)
        elif isinstance(message, messages.EndOfChannelMessage):
            self.state = self.STATE_COMPLETED
            for batch in self._batches.rest():
                yield self._handed_out(batch)
        elif isinstance(message, messages.StreamStartMessage):
            self.state = self.STATE_STREAM_STARTED
        elif isinstance(message, messages.ChannelAbortMessage):
            self.state = self.STATE_ABORTED
            raise ComputationAborted(message.abort_info)
        elif isinstance(message, messages.ErrorMessage):
            self.state = self.STATE_ABORTED
            self._channel.close()
            raise ComputationFailed(message.errors)
        elif not (isinstance(message, messages.EventMessage) and self._was_seen(message)):
            if isinstance(message, messages.JobStartMessage):
                self.state = self.STATE_COMPUTATION_STARTED
            self.learn(message)
            yield message

    def _data(self, part: DataMessage) -> Iterator[StreamMessage]:
        at_ms, seen_ms = part.logical_timestamp_ms, self._seen_until_ms
        if at_ms is not None and seen_ms is not None and at_ms <= seen_ms:
            return  # again, after a new start
        for batch in self._batches.add(part):
            yield self._handed_out(batch)

    def _handed_out(self, batch: DataMessage) -> DataMessage:
        self._failures = 0
        self._backoff.reset()
        at_ms = batch.logical_timestamp_ms
        if at_ms is not None:
            self.last_logical_ts = max(at_ms, self.last_logical_ts or at_ms)
        return batch

    def _was_seen(self, event: messages.EventMessage) -> bool:
        """Whether an event came before, which only counts after a new start."""
        key = (event.tsid, event.timestamp_ms, repr(event.properties))
        is_again = key in self._events and self.reconnects > 0
        self._events[key] = None
        if len(self._events) > _MAX_EVENTS:
            self._events.popitem(last=False)
        return is_again

    def _interrupted(self) -> Iterator[StreamMessage]:
        """Yield what is incomplete, unless it comes again."""
        if not self._replays:
            for batch in self._batches.rest():
                yield self._handed_out(batch)

    def _reconnect(self) -> None:
        """Start anew, as often as need be."""
        since_ms = self.last_logical_ts
        if self._replays:
            dropped_ms = self._batches.drop()
            since_ms = since_ms if since_ms is not None else dropped_ms
        self._seen_until_ms = self.last_logical_ts
        if time.monotonic() - self._begun_s >= _LASTING_S:
            self._failures = 0
            self._backoff.reset()
        while not self._closed.is_set():
            self._failures += 1
            if self._failures > self._max_reconnects:
                self.state = self.STATE_ABORTED
                raise SignalFlowConnectionError(
                    0, f"the stream broke off {self._failures} times in a row without data"
                )
            # Not at once: when a service restarts, all its clients would come at the same instant.
            if self._closed.wait(self._backoff.next_pause_s(None)):
                return
            if self._starts_anew(since_ms):
                return

    def _starts_anew(self, since_ms: int | None) -> bool:
        self.reconnects += 1
        log.debug("executing a computation again, for the %d. time", self.reconnects)
        if self._on_reconnect is not None:
            with guard("signalfx.on_reconnect"):
                self._on_reconnect(self.reconnects)
        try:
            channel = self._exec_fn(since_ms)
        except SignalFlowException as error:
            if _may_pass(error):
                return False
            self.state = self.STATE_ABORTED
            raise
        with self._lock:
            self._channel = channel
            is_closed = self._closed.is_set()
        self._begun_s = time.monotonic()
        if is_closed:
            channel.close()
        else:
            self.state = self.STATE_STREAM_STARTED
        return True


def _may_pass(error: SignalFlowException) -> bool:
    """Whether another try may succeed, as it does not for a refused token."""
    if isinstance(error, SignalFlowConnectionError) or error.code == _TOO_MANY_REQUESTS:
        return True
    return _SERVER_ERROR <= error.code < _SERVER_ERROR + 100
