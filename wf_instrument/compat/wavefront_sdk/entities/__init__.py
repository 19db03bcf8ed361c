"""`wavefront_sdk.entities`: what can be sent, and who sends it."""

from wf_instrument.backends.wavefront.senders import (
    WavefrontEventSender,
    WavefrontHistogramSender,
    WavefrontMetricSender,
    WavefrontTracingSpanSender,
)
from wf_instrument.compat.wavefront_sdk.entities.histogram import histogram_granularity
from wf_instrument.compat.wavefront_sdk.entities.tracing.span_log import SpanLog
from wf_instrument.metrics.sdk_histogram import Snapshot, ThreadMinuteBin, WavefrontHistogramImpl
from wf_instrument.metrics.wavefront_histogram import Distribution

__all__ = [
    "Distribution",
    "Snapshot",
    "SpanLog",
    "ThreadMinuteBin",
    "WavefrontEventSender",
    "WavefrontHistogramImpl",
    "WavefrontHistogramSender",
    "WavefrontMetricSender",
    "WavefrontTracingSpanSender",
    "histogram_granularity",
]
