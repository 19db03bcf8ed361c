"""A child forked in the middle of traffic reports its own requests and nothing of the parent's."""

from __future__ import annotations

import os
import types
from typing import TYPE_CHECKING, Any

import pytest
from wf_instrument.integrations.asgi import TelemetryMiddleware
from wf_instrument.integrations.flask import instrument_app

import wf_instrument
from flask_site import make_site
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Generator


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


@types.coroutine
def for_ever() -> Generator[None, None, Any]:
    while True:
        yield


async def chat(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await receive()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_open_websockets_stay_with_the_parent() -> None:
    async def receive() -> Any:
        await for_ever()

    async def send(message: Any) -> None:
        pass

    reporter = RecordingReporter()
    app = TelemetryMiddleware(chat, reporter=reporter, tick_s=60)
    scope = {"type": "websocket", "path": "/chat", "headers": []}
    serving: Any = app(scope, receive, send)
    serving.send(None)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            wf_instrument.flush(5)
            code = len(reporter.websockets)
        finally:
            os._exit(code)
    child = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    wf_instrument.flush(5)
    open_in_parent = [row.in_flight for row in reporter.websockets]
    serving.close()
    wf_instrument.flush(5)
    ((end, count),) = reporter.websockets[0].ends
    wf_instrument.shutdown(5)
    assert (child, open_in_parent) == (0, [1])
    assert (end.outcome, count, reporter.websockets[0].in_flight) == ("cancelled", 1, 0)
