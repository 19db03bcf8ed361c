"""`wavefront_flask_sdk.flask_tracing`."""

from wf_instrument.integrations.flask import FlaskTracing

__all__ = ["FlaskTracing"]
