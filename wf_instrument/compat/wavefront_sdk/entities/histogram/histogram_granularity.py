"""`wavefront_sdk.entities.histogram.histogram_granularity`."""

from wf_instrument.backends.wavefront.histogram_granularity import DAY, HOUR, MINUTE

__all__ = ["DAY", "HOUR", "MINUTE"]
