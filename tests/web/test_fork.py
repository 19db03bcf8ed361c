"""A child forked in the middle of traffic reports its own requests and nothing of the parent's."""

from __future__ import annotations

import os

import pytest
from wf_instrument.integrations.flask import instrument_app

import wf_instrument
from flask_site import make_site
from wf_instrument.testing import RecordingReporter


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_undrained_requests_stay_with_the_parent() -> None:
    reporter = RecordingReporter()
    app = instrument_app(make_site(), reporter=reporter, tick_s=60)
    client = app.test_client()
    for _ in range(3):
        client.get("/")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for _ in range(2):
                client.get("/")
            wf_instrument.flush(5)
            own = (reporter.count(), len(reporter.spans), reporter.snapshot.identity.pid)
            code = 0 if own == (2, 2, os.getpid()) else 1
        finally:
            os._exit(code)
    child = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    wf_instrument.flush(5)
    assert (child, reporter.count(), len(reporter.spans)) == (0, 3, 3)
    wf_instrument.shutdown(5)
