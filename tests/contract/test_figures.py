"""Figures that are easily wrong: of streams, background tasks, clients that leave."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import wf_instrument
from contract_cases import key_of, pairs, told
from contract_client import Connection, exchange
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract_site import Site


@pytest.mark.slow
@pytest.mark.parametrize(("site", "server"), pairs("slow stream", on=("waitress", "uvicorn")))
def test_a_body_streamed_for_a_fifth_of_a_second_lasts_so_long(
    stands: Callable, site: Site, server: str
) -> None:
    stand = stands(site, server)
    exchange(stand.ours, ask("/slow-stream"))
    (row,) = stand.ledger.take_rows()
    assert told(row) == key_of(site.records["slow stream"])
    assert 0.2 <= row.latency.sum < 60  # in seconds
    assert row.response_bytes.sum == 5000


@pytest.mark.slow
@pytest.mark.parametrize(("site", "server"), pairs("slow background task", on=("uvicorn",)))
def test_a_background_task_is_neither_in_latency_nor_in_flight(
    stands: Callable, site: Site, server: str
) -> None:
    stand = stands(site, server)
    connection = Connection(stand.ours)
    connection.send(ask("/later", keep=True))
    connection.read_answer()
    # The task still runs.
    (row,) = stand.ledger.take_rows()
    assert told(row) == key_of(site.records["slow background task"])
    assert row.background is None

    def has_background(snapshot: Any) -> bool:
        return any(row.background is not None for row in snapshot.requests)

    snapshot = stand.ledger.settle_when(has_background)
    connection.close()
    (late,) = snapshot.requests
    assert late.count == 0
    assert 0.5 <= late.background.sum < 60  # in seconds
    assert row.latency.sum < late.background.sum


# The third, werkzeug, keeps no connection.
@pytest.mark.parametrize(
    ("site", "server"), pairs("sizes", on=("waitress", "uvicorn", "hypercorn"))
)
def test_sizes_are_of_the_request_not_of_the_connection(
    stands: Callable, site: Site, server: str
) -> None:
    stand = stands(site, server)
    connection = Connection(stand.ours)
    answers = []
    for path in ("/sized/7777", "/chunked/5000"):
        connection.send(ask(path, keep=True))
        answers.append(len(connection.read_answer().body))
    connection.close()
    assert answers == [7777, 5000]
    rows = stand.ledger.take_rows(2)
    assert sorted(row.response_bytes.sum for row in rows) == [5000, 7777]


@pytest.mark.parametrize(("site", "server"), pairs("left in the stream"))
def test_a_client_that_leaves_in_the_stream_is_a_disconnect(
    stands: Callable, site: Site, server: str
) -> None:
    stand = stands(site, server)
    connection = Connection(stand.ours)
    connection.send(ask("/endless"))
    connection.read_some()
    connection.reset()
    (row,) = stand.ledger.take_rows()
    assert told(row) == key_of(site.records["left in the stream"])


@pytest.mark.parametrize(("site", "server"), pairs("left before the answer"))
def test_a_client_that_leaves_before_the_answer_is_a_disconnect(
    stands: Callable, site: Site, server: str
) -> None:
    stand = stands(site, server)
    connection = Connection(stand.ours)
    connection.send(ask("/waits"))
    expected = key_of(site.records["left before the answer"])
    # Until the framework knows the route.
    stand.ledger.settle_when(
        lambda snapshot: any(one.route == expected[0] for one in snapshot.running)
    )
    connection.reset()
    (row,) = stand.ledger.take_rows()
    assert told(row) == expected


class Impatient:
    """What stands around the instrumented application, and cancels it once it is told to."""

    def __init__(self, app: Any, until: Callable[[], object]) -> None:
        self.app = app
        self.until = until

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        task = asyncio.ensure_future(self.app(scope, receive, send))
        await asyncio.to_thread(self.until)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        head = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 503, "headers": head})
        await send({"type": "http.response.body"})


@pytest.mark.parametrize(("site", "server"), pairs("task cancelled"))
def test_a_task_that_is_cancelled_is_no_error(site: Site, server: str) -> None:
    ledger = Ledger()
    expected = key_of(site.records["task cancelled"])

    def until() -> None:
        # The framework knows the route by then.
        ledger.settle_when(
            lambda snapshot: any(one.route == expected[0] for one in snapshot.running)
        )

    app = Impatient(site.instrument(site.make_app(), reporter=ledger), until)
    with SERVERS["asgi"][server](app) as port:
        exchange(port, ask("/waits"))
        (row,) = ledger.take_rows()
    wf_instrument.shutdown(5)
    assert told(row) == expected
