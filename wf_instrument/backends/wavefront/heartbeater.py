"""Tells Wavefront which components of an application are alive.

Threads: a `Ticker` sends; any thread queues tag sets, by one atomic assignment to `_custom_tags`.
Fork: the child starts a heart of its own, without the tag sets its parent has yet to send.
Loss: tag sets past a thousand that wait are dropped; a beat that fails is followed by the next.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.feeders import feed
from wf_instrument.errors import QueueFullError, SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, guard
from wf_instrument.ticker import Ticker
from wf_instrument.value_text import as_str

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wf_instrument.backends.wavefront.sdk_metrics import MetricSender
    from wf_instrument.identity import ApplicationTags

__all__ = ["HEART_BEAT_METRIC", "HeartbeaterService"]

log = logging.getLogger(__name__)

#: Source: Wavefront SDK, `HEART_BEAT_METRIC`.
HEART_BEAT_METRIC: Final = "~component.heartbeat"
#: Source: Wavefront SDK, `HeartbeaterService`, every five minutes.
HEART_BEAT_INTERVAL_S: Final = 300.0
_MAX_CUSTOM_TAG_SETS: Final = 1000


class HeartbeaterService:
    """Sends `~component.heartbeat` 1.0 for each component, now and every five minutes.

    Args:
        wavefront_client: Takes the points; not closed with the heartbeater, which ends with it.
        application_tags: The application; its custom tags go with every beat.
        components: The name of a component, or several.
        source: Who reports; the client's default when None.
        interval_s: Seconds from one heartbeat to the next.
    """

    def __init__(
        self,
        wavefront_client: MetricSender,
        application_tags: ApplicationTags,
        components: str | Iterable[str],
        source: str | None,
        *,
        interval_s: float = HEART_BEAT_INTERVAL_S,
    ) -> None:
        names = [components] if isinstance(components, str) else components
        own_tags: dict[str, str] = {}
        for key, value in application_tags.get_as_list():
            own_tags.setdefault(key, value)  # a custom tag takes the place of no other
        self._tag_sets = [{**own_tags, "component": name} for name in dict.fromkeys(names)]
        self._client = wavefront_client
        self._source = source
        self._log = RateLimitedLog(log)
        self._custom_tags: dict[tuple[tuple[str, str], ...], None] = {}
        reset_after_fork(self._custom_tags_reset)
        self._ticker = Ticker("wavefront.heartbeat", self._beat, interval_s, first_after_s=0.0)
        feed(wavefront_client, self)
        self._ticker.start()

    def report_custom_tags(self, custom_tags_set: Mapping[str, str]) -> None:
        """Send one more heartbeat with exactly these tags, together with the next ones."""
        with guard("wavefront.heartbeat"):
            pairs = tuple(sorted((as_str(k), as_str(v)) for k, v in custom_tags_set.items()))
            if pairs not in self._custom_tags and len(self._custom_tags) >= _MAX_CUSTOM_TAG_SETS:
                self._log.warning("full", "heartbeat: too many tag sets wait, one was dropped")
                return
            self._custom_tags[pairs] = None

    def close(self) -> None:
        """Send no more heartbeats; a second call does nothing."""
        self._ticker.close()

    def hand_over(self) -> None:
        """Send no more heartbeats: the client is about to close."""
        self.close()

    def _custom_tags_reset(self) -> None:
        self._custom_tags.clear()

    def _beat(self) -> None:
        now_s = int(time.time())
        for tags in self._tag_sets:
            self._send(now_s, tags)
        for pairs in tuple(self._custom_tags):
            self._send(now_s, dict(pairs))
            self._custom_tags.pop(pairs, None)

    def _send(self, now_s: int, tags: Mapping[str, str]) -> None:
        # What a full queue or an absent proxy refuses is counted and logged by the client.
        with guard("wavefront.heartbeat"), suppress(QueueFullError, SendError):
            self._client.send_metric(HEART_BEAT_METRIC, 1.0, now_s, self._source, tags)
