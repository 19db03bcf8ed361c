"""The modules of the Wavefront SDK and the public names in them."""

from __future__ import annotations

LINE_FUNCTIONS = [
    "metric_to_line_data", "histogram_to_line_data", "tracing_span_to_line_data",
    "event_to_line_data", "event_to_json",
]  # fmt: skip

WAVEFRONT_SDK: dict[str, list[str]] = {
    "wavefront_sdk": ["WavefrontClientFactory", "__version__"],
    "wavefront_sdk.client": ["WavefrontClient", "remaining_capacity_getter"],
    "wavefront_sdk.direct": ["WavefrontDirectClient"],
    "wavefront_sdk.proxy": ["WavefrontProxyClient"],
    "wavefront_sdk.multi_clients": ["WavefrontMultiClient"],
    "wavefront_sdk.client_factory": ["WavefrontClientFactory"],
    "wavefront_sdk.auth": [
        "AuthorizeResponse", "CSPAPIToken", "CSPClientCredentials", "CSPAccessTokenService",
        "TokenServiceProvider",
    ],
    "wavefront_sdk.auth.csp.authorize_response": ["AuthorizeResponse"],
    "wavefront_sdk.auth.csp.csp_request": ["AuthServerURL", "CSPAPIToken", "CSPClientCredentials"],
    "wavefront_sdk.auth.csp.csp_token_service": [
        "CSPAccessTokenService", "CSP_API_TOKEN_SERVICE_TYPE", "CSP_OAUTH_TOKEN_SERVICE_TYPE",
        "CSP_REQUEST_TIMEOUT_SEC", "TokenService",
    ],
    "wavefront_sdk.auth.csp.token_service": ["TokenService"],
    "wavefront_sdk.auth.csp.token_service_factory": [
        "DEFAULT_CSP_BASE_URL", "CSP_API_TOKEN_AUTH_PATH", "CSP_CLIENT_CREDENTIALS_AUTH_PATH",
        "TokenServiceFactory", "CSPUserTokenServiceBuilder",
        "CSPServerToServerTokenServiceBuilder", "TokenServiceProvider",
    ],
    "wavefront_sdk.common": ["ApplicationTags", "HeartbeaterService", *LINE_FUNCTIONS],
    "wavefront_sdk.common.application_tags": ["ApplicationTags"],
    "wavefront_sdk.common.heartbeater_service": ["HeartbeaterService"],
    "wavefront_sdk.common.connection_handler": ["ConnectionHandler"],
    "wavefront_sdk.common.proxy_connection_handler": ["ProxyConnectionHandler"],
    "wavefront_sdk.common.constants": [
        "WAVEFRONT_METRIC_FORMAT", "WAVEFRONT_HISTOGRAM_FORMAT", "WAVEFRONT_TRACING_SPAN_FORMAT",
        "DELTA_PREFIX", "DELTA_PREFIX_2", "HEART_BEAT_METRIC", "WAVEFRONT_PROVIDED_SOURCE",
        "NULL_TAG_VAL", "SOURCE_KEY", "APPLICATION_TAG_KEY", "CLUSTER_TAG_KEY", "SERVICE_TAG_KEY",
        "SHARD_TAG_KEY", "COMPONENT_TAG_KEY", "HEART_BEAT_INTERVAL", "SDK_METRIC_PREFIX",
        "SPAN_LOG_KEY", "WAVEFRONT_SDK_PYTHON", "NO_HTTP_RESPONSE",
    ],
    "wavefront_sdk.common.utils": [
        *LINE_FUNCTIONS, "span_log_to_line_data", "sanitize", "sanitize_without_quotes",
        "sanitize_value", "sanitize_internal", "is_blank", "chunks", "gzip_compress",
        "validate_tags", "validate_annotations", "get_version", "get_sem_ver",
        "get_sem_ver_value", "AtomicCounter", "HashableDict",
    ],
    "wavefront_sdk.common.metrics": [],
    "wavefront_sdk.common.metrics.registry": ["WavefrontSdkMetricsRegistry"],
    "wavefront_sdk.common.metrics.counter": ["WavefrontSdkCounter"],
    "wavefront_sdk.common.metrics.deltacounter": ["WavefrontSdkDeltaCounter"],
    "wavefront_sdk.common.metrics.gauge": ["WavefrontSdkGauge"],
    "wavefront_sdk.common.metrics.metrics": ["WavefrontSdkMetric"],
    "wavefront_sdk.entities": [
        "WavefrontMetricSender", "WavefrontHistogramSender", "WavefrontTracingSpanSender",
        "WavefrontEventSender", "histogram_granularity", "WavefrontHistogramImpl", "SpanLog",
    ],
    "wavefront_sdk.entities.metrics": [],
    "wavefront_sdk.entities.metrics.sender": ["WavefrontMetricSender"],
    "wavefront_sdk.entities.histogram": ["histogram_granularity"],
    "wavefront_sdk.entities.histogram.sender": ["WavefrontHistogramSender"],
    "wavefront_sdk.entities.histogram.histogram_impl": [
        "WavefrontHistogramImpl", "Snapshot", "Distribution", "ThreadMinuteBin",
    ],
    "wavefront_sdk.entities.histogram.histogram_granularity": ["MINUTE", "HOUR", "DAY"],
    "wavefront_sdk.entities.tracing": [],
    "wavefront_sdk.entities.tracing.sender": ["WavefrontTracingSpanSender"],
    "wavefront_sdk.entities.tracing.span_log": ["SpanLog"],
    "wavefront_sdk.entities.event": [],
    "wavefront_sdk.entities.event.sender": ["WavefrontEventSender"],
}  # fmt: skip

#: Values that programs compare with. Source: Wavefront SDK, `wavefront_sdk.common.constants`.
CONSTANTS = {
    "WAVEFRONT_METRIC_FORMAT": "wavefront",
    "WAVEFRONT_HISTOGRAM_FORMAT": "histogram",
    "WAVEFRONT_TRACING_SPAN_FORMAT": "trace",
    "DELTA_PREFIX": "\u2206",
    "DELTA_PREFIX_2": "\u0394",
    "HEART_BEAT_METRIC": "~component.heartbeat",
    "WAVEFRONT_PROVIDED_SOURCE": "wavefront-provided",
    "NULL_TAG_VAL": "none",
    "HEART_BEAT_INTERVAL": 10,
    "SDK_METRIC_PREFIX": "~sdk.python",
    "SPAN_LOG_KEY": "_spanLogs",
    "WAVEFRONT_SDK_PYTHON": "wavefront-sdk-python",
    "NO_HTTP_RESPONSE": -1,
}

PYFORMANCE: dict[str, list[str]] = {
    "wavefront_pyformance": [],
    "wavefront_pyformance.delta": [
        "DeltaCounter", "delta_counter", "get_delta_name", "is_delta_counter",
    ],
    "wavefront_pyformance.tagged_registry": ["TaggedRegistry"],
    "wavefront_pyformance.wavefront_histogram": [
        "Distribution", "WavefrontHistogram", "get", "wavefront_histogram",
    ],
    "wavefront_pyformance.wavefront_reporter": [
        "WavefrontDirectReporter", "WavefrontProxyReporter", "WavefrontReporter",
    ],
    "wavefront_pyformance.runtime_metrics": ["RuntimeCollector"],
}  # fmt: skip

_PROPAGATION = "wavefront_opentracing_sdk.propagation"
_SAMPLING = "wavefront_opentracing_sdk.sampling"
_REPORTING = "wavefront_opentracing_sdk.reporting"
OPENTRACING: dict[str, list[str]] = {
    "wavefront_opentracing_sdk": ["WavefrontSpan", "WavefrontSpanContext", "WavefrontTracer"],
    "wavefront_opentracing_sdk.span": ["WavefrontSpan"],
    "wavefront_opentracing_sdk.span_context": ["WavefrontSpanContext"],
    "wavefront_opentracing_sdk.tracer": [
        "WavefrontTracer", "get_least_significant_bits", "get_most_significant_bits",
    ],
    _PROPAGATION: [
        "HTTPPropagator", "JaegerWavefrontPropagator", "Propagator", "PropagatorRegistry",
        "TextMapPropagator",
    ],
    f"{_PROPAGATION}.http": ["HTTPPropagator"],
    f"{_PROPAGATION}.textmap": ["TextMapPropagator"],
    f"{_PROPAGATION}.jaeger_wavefront": ["JaegerWavefrontPropagator"],
    f"{_PROPAGATION}.propagator": ["Propagator"],
    f"{_PROPAGATION}.registry": ["PropagatorRegistry"],
    _SAMPLING: [
        "CompositeSampler", "ConstantSampler", "DurationSampler", "RateSampler", "Sampler",
    ],
    f"{_SAMPLING}.composite": ["CompositeSampler"],
    f"{_SAMPLING}.constant": ["ConstantSampler"],
    f"{_SAMPLING}.duration": ["DurationSampler"],
    f"{_SAMPLING}.rate": ["RateSampler"],
    f"{_SAMPLING}.sampler": ["Sampler"],
    _REPORTING: ["CompositeReporter", "ConsoleReporter", "Reporter", "WavefrontSpanReporter"],
    f"{_REPORTING}.composite": ["CompositeReporter"],
    f"{_REPORTING}.console": ["ConsoleReporter"],
    f"{_REPORTING}.reporter": ["Reporter"],
    f"{_REPORTING}.wavefront": ["WavefrontSpanReporter"],
}  # fmt: skip
FLASK: dict[str, list[str]] = {
    "wavefront_flask_sdk": [],
    "wavefront_flask_sdk.constants": ["NULL_TAG_VAL", "WAVEFRONT_PROVIDED_SOURCE"],
    "wavefront_flask_sdk.flask_tracing": ["FlaskTracing"],
    "wavefront_flask_sdk.inject": ["inject_as_headers"],
}

APPTUIT: dict[str, list[str]] = {
    "apptuit": [
        "APPTUIT_PY_TAGS", "APPTUIT_PY_TOKEN", "Apptuit", "ApptuitException",
        "ApptuitSendException", "DEPRECATED_APPTUIT_PY_TAGS", "DEPRECATED_APPTUIT_PY_TOKEN",
        "DataPoint", "TimeSeries", "TimeSeriesName", "__version__", "pyformance", "timeseries",
    ],
    "apptuit.apptuit_client": [
        "Apptuit", "BASE_SLEEP_TIME_SECS", "MAX_TAGS_LIMIT", "Output", "QueryResult", "SANITIZERS",
    ],
    "apptuit.timeseries": ["decode_metric", "encode_metric"],
    "apptuit.utils": [
        "_contains_valid_chars", "_get_tags_from_environment", "_validate_tags",
        "sanitize_name_apptuit", "sanitize_name_prometheus", "strtobool",
    ],
    "apptuit.pyformance": ["ApptuitReporter", "ProcessMetrics"],
    "apptuit.pyformance.apptuit_reporter": [
        "API_CALL_TIMER", "ApptuitReporter", "BATCH_SIZE", "DISABLE_HOST_TAG",
        "NUMBER_OF_FAILED_POINTS", "NUMBER_OF_SUCCESSFUL_POINTS", "NUMBER_OF_TOTAL_POINTS",
        "default_error_handler",
    ],
    "apptuit.pyformance.process_metrics": ["ProcessMetrics", "RESOURCE_STRUCT_RUSAGE"],
}  # fmt: skip

#: Every module of every package, and its names.
LEGACY = {**WAVEFRONT_SDK, **PYFORMANCE, **OPENTRACING, **FLASK, **APPTUIT}
LIBRATO: dict[str, list[str]] = {
    "librato": [
        "Alert", "Annotation", "BASE_PATH", "Chart", "Counter", "DEFAULT_TIMEOUT", "Gauge",
        "HOSTNAME", "HTTPConnection", "HTTPSConnection", "LibratoConnection", "Metric", "Queue",
        "Service", "Space", "__version__", "connect", "exceptions", "log",
        "sanitize_metric_name", "sanitize_no_op",
    ],
    "librato.aggregator": ["Aggregator"],
    "librato.alerts": ["Alert", "Condition", "Service"],
    "librato.annotations": ["Annotation"],
    "librato.exceptions": [
        "BadRequest", "CODES", "ClientError", "Forbidden", "NotFound", "Unauthorized", "get",
    ],
    "librato.metrics": ["Counter", "Gauge", "Metric"],
    "librato.queue": ["Queue"],
    "librato.spaces": ["Chart", "Space"],
    "librato.streams": ["Stream"],
}  # fmt: skip
#: Every module of every package, and its names.
LEGACY = {**WAVEFRONT_SDK, **PYFORMANCE, **OPENTRACING, **LIBRATO}
