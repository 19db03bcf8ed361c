"""A Django site served in a thread of the test, instrumented in one of the two ways."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from wf_instrument.integrations.django import instrument_app

from asgi_server import served_asgi
from django_site import served_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.testing import RecordingReporter

__all__ = [
    "OURS",
    "application",
    "async_streams",
    "either_kind_of_stream",
    "listens",
    "served",
    "site",
]

OURS = "wf_instrument.integrations.django.middleware.TelemetryMiddleware"
#: Django says so of a stream that is not of the kind the server could consume bit by bit.
either_kind_of_stream = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
async_streams = pytest.mark.skipif(django.VERSION < (4, 2), reason="has no asynchronous streams")
listens = pytest.mark.skipif(django.VERSION < (5,), reason="listens to no disconnect")


def application(interface: str) -> Any:
    """Return a new handler of the site."""
    return get_wsgi_application() if interface == "wsgi" else get_asgi_application()


def served(interface: str, app: Any) -> Any:
    """Serve a handler until the block ends, which is given the port."""
    return served_wsgi(app) if interface == "wsgi" else served_asgi(app)


@contextmanager
def site(
    reporter: RecordingReporter,
    interface: str,
    way: str = "instrument_app",
    middleware: tuple[str, ...] = (),
    **settings: object,
) -> Iterator[int]:
    """Serve the site, instrumented in one of the two ways."""
    options = {"reporter": reporter, **settings}
    with ExitStack() as stack:
        if way == "middleware":
            chosen = {"MIDDLEWARE": [*middleware, OURS], "WF_INSTRUMENT": options}
            stack.enter_context(override_settings(**chosen))
            app = application(interface)
        else:
            stack.enter_context(override_settings(MIDDLEWARE=list(middleware)))
            app = instrument_app(application(interface), **options)
        yield stack.enter_context(served(interface, app))
