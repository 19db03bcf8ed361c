"""A URL configuration with a view whose name raises."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


class Nameless:
    """Raises what is no AttributeError, so that even `hasattr` does."""

    view_class = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("served")

    @property
    def cls(self) -> object:
        raise RuntimeError("no name")


urlpatterns = [path("", Nameless())]
