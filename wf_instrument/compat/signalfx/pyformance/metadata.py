"""`signalfx.pyformance.metadata`."""

from wf_instrument.backends.signalfx.pyformance_registry import (
    MetricMetadata,
)

__all__ = [
    "MetricMetadata",
]
