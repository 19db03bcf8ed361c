"""The client of SignalFlow.

Threads: any calls.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from wf_instrument.backends.signalfx.constants import DEFAULT_STREAM_ENDPOINT, DEFAULT_TIMEOUT
from wf_instrument.backends.signalfx.signalflow.computation import Computation
from wf_instrument.backends.signalfx.signalflow.websocket_transport import WebSocketTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel, Transport

__all__ = ["SignalFlowClient"]


class SignalFlowClient:
    """Runs programs of SignalFlow.

    Times are milliseconds since the epoch, or relative to now as texts (`"-1h"`); resolution and
    max delay are milliseconds. What is None is left to the service.

    Args:
        token: Access or user token.
        endpoint: The service.
        timeout: Seconds, to connect and be let in.
        transport: Class of the transport, `WebSocketTransport` or `SSETransport`.
        compress: Whether messages may come gzipped.
        proxy_url: An HTTP proxy on the way.
        ca_certs: Certificates to trust, in place of the system's.
        on_reconnect: Called with a number whenever a computation is executed again.
    """

    def __init__(
        self,
        token: str,
        endpoint: str = DEFAULT_STREAM_ENDPOINT,
        timeout: float = DEFAULT_TIMEOUT,
        transport: Callable[..., Transport] = WebSocketTransport,
        compress: bool = True,
        proxy_url: str | None = None,
        *,
        ca_certs: str | None = None,
        on_reconnect: Callable[[int], None] | None = None,
    ) -> None:
        # A transport of the user's own making knows nothing of certificates.
        more = {} if ca_certs is None else {"ca_certs": ca_certs}
        self._transport = transport(token, endpoint, timeout, compress, proxy_url, **more)
        self._on_reconnect = on_reconnect
        self._computations: weakref.WeakSet[Computation] = weakref.WeakSet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def execute(
        self,
        program: str,
        start: int | str | None = None,
        stop: int | str | None = None,
        resolution: int | None = None,
        max_delay: int | None = None,
        persistent: bool = False,
        immediate: bool = False,
        disable_all_metric_publishes: bool | None = None,
        withDerivedMetadata: bool | None = None,  # noqa: N803 - the older client's name
        resolutionAdjustable: bool | None = None,  # noqa: N803 - as above
        timezone: str | None = None,
    ) -> Computation:
        """Run a program, and return its computation."""
        params = {
            "start": start,
            "stop": stop,
            "resolution": resolution,
            "maxDelay": max_delay,
            "persistent": persistent,
            "immediate": immediate,
            "disableAllMetricPublishes": disable_all_metric_publishes,
            "withDerivedMetadata": withDerivedMetadata,
            "resolutionAdjustable": resolutionAdjustable,
            "timezone": timezone,
        }
        return self._computed(self._transport.execute, program, params)

    def preflight(
        self,
        program: str,
        start: int | str,
        stop: int | str,
        resolution: int | None = None,
        max_delay: int | None = None,
    ) -> Computation:
        """Try a detector's program on the past, and return its computation."""
        params = {"start": start, "stop": stop, "resolution": resolution, "maxDelay": max_delay}
        return self._computed(self._transport.preflight, program, params)

    def explain(
        self,
        incident_id: str,
        start: int | str | None = None,
        stop: int | str | None = None,
        resolution: int | None = None,
        max_delay: int | None = None,
    ) -> Computation:
        """Return a computation of the data and events behind an incident; WebSocket alone."""
        params = {"start": start, "stop": stop, "resolution": resolution, "maxDelay": max_delay}
        return self._computed(self._transport.explain, incident_id, params)

    def start(
        self,
        program: str,
        start: int | str | None = None,
        stop: int | str | None = None,
        resolution: int | None = None,
        max_delay: int | None = None,
    ) -> None:
        """Run a program that nobody listens to."""
        params = {"start": start, "stop": stop, "resolution": resolution, "maxDelay": max_delay}
        self._transport.start(program, _given(params))

    def attach(
        self, handle: str, filters: str | None = None, resolution: int | None = None
    ) -> Computation:
        """Listen to a computation that runs."""
        params = _given({"filters": filters, "resolution": resolution})

        def attached(_: int | None) -> ComputationChannel:
            return self._transport.attach(handle, params)

        return self._kept(Computation(attached, replays=False, on_reconnect=self._on_reconnect))

    def keepalive(self, handle: str) -> None:
        """Have a computation go on though nobody listens."""
        self._transport.keepalive(handle)

    def stop(self, handle: str, reason: str | None = None) -> None:
        """End a computation."""
        self._transport.stop(handle, _given({"reason": reason}))

    def close(self) -> None:
        """End all computations here, and close the transport."""
        for computation in list(self._computations):
            computation.close()
        self._transport.close()

    def _computed(
        self,
        begin: Callable[[str, Mapping[str, object]], ComputationChannel],
        program: str,
        params: Mapping[str, Any],
    ) -> Computation:
        def begun(since_ms: int | None) -> ComputationChannel:
            # From where the last one broke off.
            again = params if not since_ms else {**params, "start": since_ms}
            return begin(program, _given(again))

        return self._kept(Computation(begun, on_reconnect=self._on_reconnect))

    def _kept(self, computation: Computation) -> Computation:
        self._computations.add(computation)
        return computation


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
