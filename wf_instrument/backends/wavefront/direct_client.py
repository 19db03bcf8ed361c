"""The deprecated client of direct ingestion."""

from __future__ import annotations

import queue
import warnings

from wf_instrument.backends.wavefront.client import WavefrontClient

__all__ = ["WavefrontDirectClient"]


class WavefrontDirectClient(WavefrontClient):
    """Sends straight to a Wavefront cluster.

    Deprecated: use `WavefrontClientFactory` with `https://TOKEN@HOST`. Arguments and errors are
    those of `WavefrontClient`.
    """

    def __init__(
        self,
        server: str,
        token: str,
        max_queue_size: int = 50_000,
        batch_size: int = 10_000,
        flush_interval_seconds: float = 5,
        enable_internal_metrics: bool = True,
        queue_impl: type = queue.Queue,
    ) -> None:
        warnings.warn(
            "WavefrontDirectClient is deprecated; use WavefrontClientFactory().add_client("
            "'https://TOKEN@HOST')",
            DeprecationWarning,
            stacklevel=2,
        )
        super().__init__(
            server,
            token,
            max_queue_size,
            batch_size,
            flush_interval_seconds,
            enable_internal_metrics,
            queue_impl,
        )
