"""`librato.aggregator`."""

from wf_instrument.backends.librato.aggregator import Aggregator

__all__ = ["Aggregator"]
