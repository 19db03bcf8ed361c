"""The ASGI driver on bare applications: whether the client left, as servers tell it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from samples import IDENTITY
from wf_instrument.reporting import Pipeline
from wf_instrument.settings import Settings
from wf_instrument.testing import RecordingReporter
from wf_instrument.web import Recorder
from wf_instrument.web.asgi import AsgiTelemetry

SCOPE = {
    "type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"",
}  # fmt: skip


async def streaming(scope: Any, receive: Any, send: Any) -> None:
    """Answer in a task, and cancel it when the client has left, as frameworks do."""

    async def answer() -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    answering = asyncio.ensure_future(answer())
    while (await receive())["type"] != "http.disconnect":
        pass
    answering.cancel()
    await asyncio.wait([answering])
    if not answering.cancelled():
        answering.result()


class Server:
    """Serves one request; tells of a disconnect while it takes the given body message.

    Args:
        leaves_at: Which body message that is.
        raises: Whether sending it then fails.
    """

    def __init__(self, leaves_at: bytes, *, raises: bool = False) -> None:
        self._leaves_at = leaves_at
        self._raises = raises
        self._has_left = asyncio.Event()

    async def receive(self) -> Any:
        await self._has_left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message.get("body") != self._leaves_at:
            return
        self._has_left.set()
        if self._raises:
            raise ConnectionResetError
        # The application hears of it before this returns, and is cancelled in here.
        await asyncio.Event().wait()


def outcome_of(leaves_at: bytes, *, raises: bool = False) -> Any:
    pipeline, reporter = Pipeline(IDENTITY, 60), RecordingReporter()
    pipeline.add_reporter("test", reporter)
    recorder = Recorder("asgi", Settings(), pipeline, None, lambda route: (str(route), None, None))
    driver = AsgiTelemetry(streaming, recorder, lambda scope: None)

    async def serve() -> None:
        server = Server(leaves_at, raises=raises)
        with suppress(ConnectionResetError):
            await driver(dict(SCOPE), server.receive, server.send)

    asyncio.run(serve())
    pipeline.flush(5)
    (row,) = reporter.requests
    return row.key.outcome


@pytest.mark.parametrize(
    ("leaves_at", "raises", "outcome"),
    [
        pytest.param(b"a", False, "client_disconnect", id="before-the-last-byte"),
        pytest.param(b"b", False, "ok", id="with-the-last-byte"),
        pytest.param(b"b", True, "client_disconnect", id="last-byte-not-taken"),
    ],
)
def test_a_client_has_left_only_when_the_server_had_not_taken_the_last_byte(
    leaves_at: bytes, raises: bool, outcome: str
) -> None:
    assert outcome_of(leaves_at, raises=raises) == outcome
