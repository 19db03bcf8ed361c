"""One request, one record: the request path, free of frameworks and backends."""

from wf_instrument.web.recorder import Recorder
from wf_instrument.web.wsgi import WsgiTelemetry

__all__ = ["Recorder", "WsgiTelemetry"]
