"""`wavefront_sdk.entities.histogram.histogram_impl`."""

from wf_instrument.metrics.sdk_histogram import Snapshot, ThreadMinuteBin, WavefrontHistogramImpl
from wf_instrument.metrics.wavefront_histogram import Distribution

__all__ = ["Distribution", "Snapshot", "ThreadMinuteBin", "WavefrontHistogramImpl"]
