"""The names users build on. A change here is a decision."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from wf_instrument.errors import MissingExtraError

PUBLIC = {
    "wf_instrument": [
        "ApplicationTags", "Settings", "__version__", "auto_instrument", "flush",
        "get_registry", "get_tracer",
        "instrument", "observe", "set_dimension", "shutdown", "span",
        "start_reporting", "trace",
    ],
    "wf_instrument.integrations.asgi": [
        "TelemetryMiddleware", "instrument_app", "uninstrument_app",
    ],
    "wf_instrument.auto": ["auto_instrument"],
    "wf_instrument.plugins": ["MissingExtraError", "guard", "is_suppressed"],
    "wf_instrument.integrations.django": [
        "APPLICATION_CLASSES", "instrument_app", "is_application", "uninstrument_app",
    ],
    "wf_instrument.integrations.django.middleware": ["TelemetryMiddleware"],
    "wf_instrument.integrations.fastapi": [
        "TelemetryMiddleware", "instrument_app", "is_application", "uninstrument_app",
    ],
    "wf_instrument.integrations.flask": [
        "FlaskTracing",
        "instrument_app",
        "is_application",
        "uninstrument_app",
    ],
    "wf_instrument.integrations.logging": [
        "JsonFormatter", "TraceIdFilter", "current_ids", "install", "uninstall",
    ],
    "wf_instrument.integrations.celery": ["install", "uninstall"],
    "wf_instrument.integrations.dbapi": ["wrap_connect", "wrap_connection"],
    "wf_instrument.integrations.sqlalchemy": ["install", "uninstall", "without_literals"],
    "wf_instrument.integrations.structlog": ["add_trace_ids", "install", "uninstall"],
    "wf_instrument.integrations.litestar": ["instrument_app", "is_application", "uninstrument_app"],
    "wf_instrument.integrations.quart": ["instrument_app", "is_application", "uninstrument_app"],
    "wf_instrument.integrations.starlette": [
        "TelemetryMiddleware", "instrument_app", "is_application", "uninstrument_app",
    ],
    "wf_instrument.integrations.wsgi": [
        "TelemetryMiddleware", "instrument_app", "uninstrument_app",
    ],
    "wf_instrument.integrations.aiohttp_client": ["install", "uninstall"],
    "wf_instrument.integrations.httpx": ["install", "uninstall"],
    "wf_instrument.integrations.requests": ["install", "uninstall"],
    "wf_instrument.integrations.urllib3": ["install", "uninstall"],
    "wf_instrument.metrics": [
        "DeltaCounter", "Distribution", "ExponentialHistogram", "RuntimeCollector",
        "TaggedRegistry",
        "WavefrontHistogram", "delta_counter", "get_delta_name", "is_delta_counter",
        "wavefront_histogram",
    ],
    "wf_instrument.backends.apptuit": [
        "Apptuit", "ApptuitException", "ApptuitReporter", "ApptuitSendException", "DataPoint",
        "Output", "ProcessMetrics", "QueryResult", "TimeSeries", "TimeSeriesName", "decode_metric",
        "default_error_handler", "encode_metric", "from_url", "timeseries",
    ],
    "wf_instrument.backends.librato": [
        "Aggregator", "Alert", "Annotation", "Chart", "Condition", "Counter", "Gauge", "Job",
        "LibratoConnection", "LibratoPipelineReporter", "LibratoReporter", "MeasurementSender",
        "Metric", "Queue", "Service", "ServiceSpace", "Space", "Stream", "connect",
        "create_service_space", "exceptions", "from_url",
        "sanitize_metric_name", "sanitize_no_op",
    ],
    "wf_instrument.backends.local": ["LocalReporter", "StoreReader", "default_path", "from_url"],
    "wf_instrument.backends.signalfx": [
        "AWS_ID_DIMENSION", "DimensionedRegistry", "JsonSignalFxIngestClient",
        "ProtoBufSignalFxIngestClient", "SignalFlowClient", "SignalFx",
        "SignalFxPipelineReporter", "SignalFxReporter", "SignalFxRestClient",
        "add_cloud_dimensions", "cloud_dimensions", "from_url", "get_aws_unique_id",
        "get_azure_resource_id", "get_gcp_id", "realm_endpoint",
    ],
    "wf_instrument.backends.signalfx.signalflow": [
        "Computation", "ComputationAborted", "ComputationFailed", "ResultTable", "SSETransport",
        "SignalFlowClient", "SignalFlowConnectionError", "SignalFlowException",
        "WebSocketTransport",
    ],
    "wf_instrument.backends.wavefront": [
        "CspApiToken", "CspOAuthApp", "CspTokenSource", "HeartbeaterService", "WavefrontClient",
        "WavefrontClientFactory", "WavefrontDirectClient", "WavefrontDirectReporter",
        "WavefrontMultiClient", "WavefrontPipelineReporter", "WavefrontProxyClient",
        "WavefrontProxyReporter", "WavefrontReporter",
        "WavefrontSpanReporter", "event_to_json", "event_to_line_data", "from_url",
        "histogram_granularity", "histogram_to_line_data", "metric_to_line_data",
        "span_log_to_line_data", "tracing_span_to_line_data",
    ],
    "wf_instrument.compat": ["LEGACY_PACKAGES", "install", "uninstall"],
    "wf_instrument.reporting": [
        "Pipeline", "Producer", "Reporter", "ReporterUrl", "Snapshot", "known_schemes",
        "make_reporter",
    ],
    "wf_instrument.testing": ["ManualClock", "RecordingReporter", "SeededIds"],
}  # fmt: skip


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_the_public_names_are_these_and_all_can_be_used(module: str) -> None:
    try:
        loaded = importlib.import_module(module)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert sorted(loaded.__all__) == PUBLIC[module]
    assert all(getattr(loaded, name) is not None for name in PUBLIC[module])


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    package = importlib.import_module("wf_instrument")
    with pytest.raises(AttributeError, match="no attribute 'instrumnet'"):
        _ = package.instrumnet
    assert "instrument" in dir(package)


_ANYBODYS = ["_statement", "celery", "dbapi", "sqlalchemy"]


@pytest.mark.parametrize("name", _ANYBODYS)
def test_an_integration_of_a_library_could_be_anybodys(name: str) -> None:
    file = Path(__file__).parents[1] / "integrations" / f"{name}.py"
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wf_instrument"):
            assert {one.name for one in node.names} <= set(PUBLIC.get(str(node.module), ()))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or node.module in _ANYBODYS
        elif isinstance(node, ast.Import):
            ours = {one.name for one in node.names if one.name.startswith("wf_instrument")}
            assert ours <= {"wf_instrument"}
