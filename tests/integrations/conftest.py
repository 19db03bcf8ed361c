"""What the tests of all integrations record with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wf_instrument
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    """Return what is given to the applications under test, which end with the test."""
    yield RecordingReporter()
    wf_instrument.shutdown(5)
