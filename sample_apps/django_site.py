"""A Django site in one file with the middleware in its settings: run it, visit it, and look.

pip install 'wf-instrument[django,dashboard]' gunicorn
gunicorn --chdir sample_apps --bind 127.0.0.1:8080 django_site:application &
curl http://127.0.0.1:8080/style/x-1/make
wf-instrument ui ~/.local/state/wf-instrument/styling.db

Or `uvicorn --app-dir sample_apps --port 8080 django_site:asgi_application`, or
`python sample_apps/django_site.py runserver --noreload 8080`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path

if TYPE_CHECKING:
    from django.http import HttpRequest

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=["wf_instrument.integrations.django.middleware.TelemetryMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="a sample needs no secret",
    WF_INSTRUMENT={"application": "Ordering", "service": "styling"},
)


def make_shirts(request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 - the name of the route's variable
    return HttpResponse(f"Shirts {id} made.\n")


async def stock(request: HttpRequest, shop: str) -> HttpResponse:
    await asyncio.sleep(0.01)
    return HttpResponse("3\n")


urlpatterns = [
    path("style/<path:id>/make", make_shirts),
    path("<slug:shop>/", include([path("stock", stock)])),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
else:
    application = get_wsgi_application()
    asgi_application = get_asgi_application()
