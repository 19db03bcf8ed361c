"""How the ASGI driver takes the end of a response, whatever a server says meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from samples import IDENTITY
from wf_instrument.reporting import Pipeline
from wf_instrument.settings import Settings
from wf_instrument.testing import RecordingReporter
from wf_instrument.web import Recorder
from wf_instrument.web.asgi import AsgiTelemetry


def recorded(app: Any, method: str = "GET") -> Any:
    """Serve one request; this server tells of the disconnect before the last `send` returns."""
    pipeline, reporter = Pipeline(IDENTITY, 60), RecordingReporter()
    pipeline.add_reporter("test", reporter)
    recorder = Recorder("asgi", Settings(), pipeline, None, lambda route: (str(route), None, None))
    is_over = asyncio.Event()

    async def receive() -> dict[str, str]:
        await is_over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            is_over.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    scope = {"type": "http", "method": method, "path": "/", "headers": [], "query_string": b""}
    driver = AsgiTelemetry(app, recorder, lambda scope: None)
    asyncio.run(driver(scope, receive, send))  # type: ignore[arg-type]  # narrower than ASGI's own
    pipeline.shutdown(5)
    (row,) = reporter.requests
    return row


async def listening(scope: Any, receive: Any, send: Any) -> None:
    listener = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"all there is"})
    await listener


@pytest.mark.parametrize(("method", "size"), [("GET", 12), ("HEAD", 0)])
def test_a_client_that_is_told_to_have_left_with_the_last_byte_has_it_all(
    method: str, size: int
) -> None:
    row = recorded(listening, method)
    assert row.key.outcome == "ok"
    assert row.response_bytes.sum == size
