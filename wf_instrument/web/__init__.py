"""One request, one record: the request path, free of frameworks and backends."""

# Both drivers and the tracer, whichever a program uses: they link what the accelerator needs.
from wf_instrument.tracing.tracer import WavefrontTracer as _WavefrontTracer  # noqa: F401
from wf_instrument.web.recorder import Recorder
from wf_instrument.web.wsgi import WsgiTelemetry

__all__ = ["Recorder", "WsgiTelemetry"]
