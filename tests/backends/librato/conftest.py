"""The service, and a connection to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from librato_service import LibratoService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.backends.librato import LibratoConnection


@pytest.fixture
def service() -> Iterator[LibratoService]:
    with LibratoService() as running:
        yield running


@pytest.fixture
def api(service: LibratoService) -> Iterator[LibratoConnection]:
    with service.connect(deadline=5) as made:
        yield made
