"""`signalfx.signalflow.computation`."""

from wf_instrument.backends.signalfx.signalflow.computation import (
    Computation,
)

__all__ = [
    "Computation",
]
