"""What a `RecordingReporter` has of requests, and work whose CPU time is to be found there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import wf_instrument

if TYPE_CHECKING:
    from wf_instrument.reporting.snapshot import RequestInterval
    from wf_instrument.testing import RecordingReporter

__all__ = ["burn", "burnt", "only_row", "wait_for_row"]


#: What `burn` used in this test: more than asked for where the machine stood still meanwhile.
burnt: list[float] = []


def burn(seconds: float) -> None:
    """Use the CPU for so long, by the clock of this thread."""
    began = time.thread_time()
    while time.thread_time() < began + seconds:
        pass
    burnt.append(time.thread_time() - began)


def only_row(reporter: RecordingReporter) -> RequestInterval:
    """Return the one row of the requests so far."""
    assert wf_instrument.flush(5)
    (row,) = reporter.requests
    return row


def wait_for_row(reporter: RecordingReporter) -> None:
    """Wait until a request is recorded, which is after the client has its last byte."""
    deadline = time.monotonic() + 10
    while not reporter.requests:
        assert time.monotonic() < deadline
        assert wf_instrument.flush(5)
