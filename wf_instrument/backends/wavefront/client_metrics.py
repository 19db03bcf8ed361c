"""What a client tells about itself, once a minute, among the data it sends.

Source:
    Wavefront SDK, internal metrics: `~sdk.python.core.sender.proxy` and `.direct`.

Threads: the sender's worker calls `on_round`, one at a time.
Fork: the child's counters begin at 0, and so does what it has told.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wf_instrument._version import __version__
from wf_instrument.backends.wavefront.client_constants import ClientConstants
from wf_instrument.backends.wavefront.csp import CspTokenSource
from wf_instrument.errors import QueueFullError
from wf_instrument.forking import reset_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.sender.counts import KindCounts
    from wf_instrument.sender.transport import TokenSource

__all__ = ["ClientMetrics", "auth_type_of"]

INTERVAL_S: Final = 60.0
_PREFIX: Final = "~sdk.python.core.sender"


def auth_type_of(token: str | TokenSource | None) -> str:
    """Return how a client with that token proves who it is."""
    if not token:
        return ClientConstants.AUTH_TYPE_PROXY
    if isinstance(token, CspTokenSource):
        return token.auth_type
    return ClientConstants.AUTH_TYPE_WAVEFRONT_API_TOKEN


class ClientMetrics:
    """Sends queue sizes as gauges and what became of the data as delta counters.

    Attributes:
        kind: `proxy` or `direct`.

    Args:
        client: The client, which it tells about and sends through.
        auth_type: For the tag `authType`.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        client: WavefrontClient,
        auth_type: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        kind = "proxy" if auth_type == ClientConstants.AUTH_TYPE_PROXY else "direct"
        self.kind: Final = kind
        self._prefix = f"{_PREFIX}.{kind}"
        self._others: dict[str, tuple[Callable[[], float], bool]] = {}
        self._tags = {"version": f"v{__version__}", "authType": auth_type}
        self._client = client
        self._clock = clock
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._told: Counter[str] = Counter()
        self._next_s = self._clock() + INTERVAL_S

    def add(self, name: str, supplier: Callable[[], float], *, is_delta: bool) -> None:
        """Report one more metric; see `WavefrontClient.report_internally`."""
        self._others[name] = (supplier, is_delta)

    def on_round(self) -> None:
        """Report when a minute has passed."""
        now_s = self._clock()
        if now_s < self._next_s:
            return
        self._next_s = now_s + INTERVAL_S
        # A full queue is counted and logged by the sender; what was not told is told next time.
        with suppress(QueueFullError):
            self._report()

    def _report(self) -> None:
        client, sender, time_s = self._client, self._client.sender, int(time.time())
        for kind, counts in sender.counts.items():
            for name, value in (
                ("size", sender.waiting(kind)),
                ("remaining_capacity", sender.remaining_capacity(kind)),
            ):
                full_name = f"{self._prefix}.{kind}.queue.{name}"
                client.send_metric(full_name, value, time_s, None, self._tags)
            for name, total in _totals(kind, counts).items():
                self._send_change(f"{self._prefix}.{name}.count", total)
        for name, (supplier, is_delta) in list(self._others.items()):
            if is_delta:
                self._send_change(name, int(supplier()))
            else:
                client.send_metric(name, supplier(), time_s, None, self._tags)

    def _send_change(self, name: str, total: int) -> None:
        change = total - self._told[name]
        self._client.send_delta_counter(name, change, None, self._tags)
        self._told[name] += change


def _totals(kind: str, counts: KindCounts) -> dict[str, int]:
    return {
        f"{kind}.valid": counts.valid,
        f"{kind}.invalid": counts.invalid,
        f"{kind}.dropped": counts.dropped,
        f"{kind}.report.errors": counts.errors,
        **{f"{kind}.report.{status}": number for status, number in counts.statuses.items()},
    }
