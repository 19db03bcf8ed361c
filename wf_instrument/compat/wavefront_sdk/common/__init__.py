"""`wavefront_sdk.common`: application tags, heartbeats and the line functions."""

from wf_instrument.backends.wavefront.event_lines import event_to_json, event_to_line_data
from wf_instrument.backends.wavefront.heartbeater import HeartbeaterService
from wf_instrument.backends.wavefront.lines import histogram_to_line_data, metric_to_line_data
from wf_instrument.backends.wavefront.span_lines import tracing_span_to_line_data
from wf_instrument.identity import ApplicationTags

__all__ = [
    "ApplicationTags",
    "HeartbeaterService",
    "event_to_json",
    "event_to_line_data",
    "histogram_to_line_data",
    "metric_to_line_data",
    "tracing_span_to_line_data",
]
