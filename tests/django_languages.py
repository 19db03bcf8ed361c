"""A URL configuration whose routes begin with a language."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.urls import path


def about(request: HttpRequest, page: int) -> HttpResponse:
    return HttpResponse("about")


urlpatterns = i18n_patterns(path("about/<int:page>", about))
