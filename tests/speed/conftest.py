"""What tests of both twins share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wf_instrument import speed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["short cuts", "twins"])
def twin(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test by short cuts and by their twins."""
    if request.param == "twins":
        speed.use_twins()
    yield
    speed.use_short_cuts()
