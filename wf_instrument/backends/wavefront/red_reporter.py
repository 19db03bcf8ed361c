"""RED metrics and heartbeats of a tracer, sent through a client.

Threads: a `Ticker` each for the metrics and the heartbeats; `close` sends in the caller's thread.
Locks: `_sending` lets one thread at a time send.
Loss: what a full client refuses is tried again at the next report, up to `_MAX_OWED` data, beyond
    which the client's count of dropped data says so.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.wavefront.heartbeater import HeartbeaterService
from wf_instrument.backends.wavefront.histogram_granularity import MINUTE
from wf_instrument.errors import QueueFullError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.metrics.wavefront_histogram import MAX_CENTROIDS
from wf_instrument.ticker import Ticker
from wf_instrument.tracing.red_metrics import RED_COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.tracing.red_metrics import RedMetrics

__all__ = ["RedReporter"]

_MAX_OWED: Final = 10_000


class RedReporter:
    """Sends derived metrics every interval, and heartbeats every five minutes.

    Args:
        client: Queues and delivers; not closed here.
        source: Who reports; the client's default when None.
        red: What to send.
        application_tags: Of the heartbeats.
        interval_s: Seconds between two reports.
    """

    def __init__(
        self,
        client: WavefrontClient,
        source: str | None,
        red: RedMetrics,
        application_tags: ApplicationTags,
        interval_s: float,
    ) -> None:
        self._client = client
        self._source = source
        self._red = red
        self._reset()
        reset_after_fork(self._reset)
        self._ticker = Ticker("wavefront.red_metrics", self.report, interval_s)
        self._ticker.start()
        self._heart = HeartbeaterService(client, application_tags, RED_COMPONENTS, source)

    def _reset(self) -> None:
        self._sending = threading.Lock()
        self._owed: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def report(self) -> None:
        """Send what was recorded, durations of the current minute excepted."""
        self._report(current_minute=False)

    def hand_over(self) -> None:
        """Send what was recorded, durations of the current minute included."""
        self._report(current_minute=True)

    def close(self) -> None:
        """Send what is left and end; a second call does nothing new."""
        self._heart.close()
        self._ticker.close()
        self.hand_over()

    def _report(self, *, current_minute: bool) -> None:
        with self._sending:
            counts, durations = self._red.drain(current_minute=current_minute)
            owed, self._owed = self._owed, []
            for send, arguments in owed:
                self._send(send, *arguments)
            for name, value, tags in counts:
                send = self._client.send_delta_counter
                self._send(send, name, value, self._source, dict(tags))
            for name, minute_s, histogram, tags in durations:
                self._send(
                    self._client.send_distribution,
                    name,
                    histogram.centroids(MAX_CENTROIDS),
                    (MINUTE,),
                    minute_s,
                    self._source,
                    dict(tags),
                )

    def _send(self, send: Callable[..., None], *arguments: Any) -> None:
        try:
            send(*arguments)
        except QueueFullError:
            if len(self._owed) < _MAX_OWED:
                self._owed.append((send, arguments))
        except Exception as error:  # noqa: BLE001 - one datum must not cost the others
            caught("wavefront.line", error)
