"""`wavefront_pyformance.delta`."""

from wf_instrument.metrics.delta_counter import (
    DeltaCounter,
    delta_counter,
    get_delta_name,
    is_delta_counter,
)

__all__ = ["DeltaCounter", "delta_counter", "get_delta_name", "is_delta_counter"]
