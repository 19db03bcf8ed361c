"""`signalfx.ingest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.backends.signalfx.ingest_client import (
    IngestClient as _BaseSignalFxIngestClient,
)
from wf_instrument.backends.signalfx.ingest_client import (
    JsonSignalFxIngestClient,
    ProtoBufSignalFxIngestClient,
)

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "JsonSignalFxIngestClient",
    "ProtoBufSignalFxIngestClient",
    "_BaseSignalFxIngestClient",
    "sf_pbuf",
]

sf_pbuf: ModuleType | None


def __getattr__(name: str) -> object:
    """Load the generated messages when they are asked for: the clients do without them."""
    if name != "sf_pbuf":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from wf_instrument.compat.signalfx.generated_protocol_buffers import (
            signal_fx_protocol_buffers_pb2,
        )
    except ImportError:  # without the package `protobuf`
        return None
    return signal_fx_protocol_buffers_pb2
