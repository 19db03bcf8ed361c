"""`wavefront_sdk.entities.histogram`."""

from wf_instrument.backends.wavefront.senders import WavefrontHistogramSender
from wf_instrument.compat.wavefront_sdk.entities.histogram import histogram_granularity
from wf_instrument.metrics.sdk_histogram import Snapshot, ThreadMinuteBin, WavefrontHistogramImpl
from wf_instrument.metrics.wavefront_histogram import Distribution

__all__ = [
    "Distribution",
    "Snapshot",
    "ThreadMinuteBin",
    "WavefrontHistogramImpl",
    "WavefrontHistogramSender",
    "histogram_granularity",
]
