"""Wavefront: line formats, the clients, and reporters through a proxy or directly."""

from wf_instrument.backends.wavefront import histogram_granularity
from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.client_factory import WavefrontClientFactory
from wf_instrument.backends.wavefront.csp import CspApiToken, CspOAuthApp, CspTokenSource
from wf_instrument.backends.wavefront.direct_client import WavefrontDirectClient
from wf_instrument.backends.wavefront.event_lines import event_to_json, event_to_line_data
from wf_instrument.backends.wavefront.heartbeater import HeartbeaterService
from wf_instrument.backends.wavefront.lines import histogram_to_line_data, metric_to_line_data
from wf_instrument.backends.wavefront.multi_client import WavefrontMultiClient
from wf_instrument.backends.wavefront.proxy_client import WavefrontProxyClient
from wf_instrument.backends.wavefront.pyformance_reporters import (
    WavefrontDirectReporter,
    WavefrontProxyReporter,
    WavefrontReporter,
)
from wf_instrument.backends.wavefront.reporter_factory import from_url
from wf_instrument.backends.wavefront.request_reporter import WavefrontPipelineReporter
from wf_instrument.backends.wavefront.span_lines import (
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.span_reporter import WavefrontSpanReporter

__all__ = [
    "CspApiToken",
    "CspOAuthApp",
    "CspTokenSource",
    "HeartbeaterService",
    "WavefrontClient",
    "WavefrontClientFactory",
    "WavefrontDirectClient",
    "WavefrontDirectReporter",
    "WavefrontMultiClient",
    "WavefrontPipelineReporter",
    "WavefrontProxyClient",
    "WavefrontProxyReporter",
    "WavefrontReporter",
    "WavefrontSpanReporter",
    "event_to_json",
    "event_to_line_data",
    "from_url",
    "histogram_granularity",
    "histogram_to_line_data",
    "metric_to_line_data",
    "span_log_to_line_data",
    "tracing_span_to_line_data",
]
