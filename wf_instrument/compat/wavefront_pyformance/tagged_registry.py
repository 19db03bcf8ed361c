"""`wavefront_pyformance.tagged_registry`."""

from wf_instrument.metrics.tagged_registry import TaggedRegistry

__all__ = ["TaggedRegistry"]
