"""The fixture `wf_recorder` for tests of applications that use wf-instrument.

pytest loads this by its entry point, in every project of an environment: so it imports nothing
else until the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.testing import RecordingReporter

__all__ = ["wf_recorder"]


@pytest.fixture
def wf_recorder() -> Iterator[RecordingReporter]:
    """Record what instrumented applications of this test report, and nothing of other tests.

    Applications instrumented without settings of their own report to it; `assert_request`,
    `assert_span` and the rest see everything that was recorded so far.
    """
    import wf_instrument
    from wf_instrument.telemetry import telemetry_for
    from wf_instrument.testing import RecordingReporter

    class Recorder(RecordingReporter):
        """Has everything delivered before it is looked at."""

        def __getattribute__(self, name: str) -> object:
            if name in {"requests", "spans", "snapshot"}:
                wf_instrument.flush(5)
            return super().__getattribute__(name)

    wf_instrument.shutdown(0)  # what an earlier test left
    made = Recorder()
    telemetry_for({"reporter": made})
    yield made
    wf_instrument.shutdown(5)
