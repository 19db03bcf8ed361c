"""A Django site in one file that does not know the library; also its `manage.py`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

if TYPE_CHECKING:
    from django.http import HttpRequest

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DEBUG="runserver" in sys.argv,
    ROOT_URLCONF=__name__,
    SECRET_KEY="a sample needs no secret",
)


def item(request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(f"item {number}")


def add(request: HttpRequest) -> HttpResponse:
    return HttpResponse("added", status=201)


def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


urlpatterns = [path("items/<int:number>", item), path("items", add), path("boom", boom)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
else:
    application = get_wsgi_application()
    asgi_application = get_asgi_application()
