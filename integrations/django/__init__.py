"""Django: `instrument_app(application)`, and `middleware.TelemetryMiddleware` for `MIDDLEWARE`.

The WSGI or ASGI handler is wrapped as a whole, so that a request lasts until its last byte;
Django is asked only for the route, and tells of exceptions by its signal.
"""

from ._application import HANDLERS as APPLICATION_CLASSES
from ._application import instrument_app, is_application, uninstrument_app

__all__ = ["APPLICATION_CLASSES", "instrument_app", "is_application", "uninstrument_app"]
