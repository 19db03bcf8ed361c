"""Under which interface, and by which way of use, Django is tested."""

from __future__ import annotations

import pytest

import django_site


@pytest.fixture(autouse=True)
def _nothing_spent() -> None:
    """Forget what CPU time views of other tests have used."""
    django_site.spent.clear()


@pytest.fixture(params=["wsgi", "asgi"])
def interface(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["instrument_app", "middleware"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)
