"""Under load, with clients that leave, exceptions and timeouts, every request is counted once.

2,000 requests a framework; 20,000 when WF_TEST_FULL_LOAD is 1.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import struct
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

import wf_instrument
from contract_cases import key_of, pairs, told
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import EXCHANGES, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract_site import Site

# Read here: tests themselves see no such variable.
REQUESTS: Final = 20_000 if os.environ.get("WF_TEST_FULL_LOAD") == "1" else 2_000
AT_A_TIME: Final = 200
#: What is recorded where no response was begun.
CLIENT_LEFT: Final = 499

#: Corners, and how many of a hundred requests take each.
MIX: Final = {
    "template": 50,
    "not found": 10,
    "raises": 10,
    "stream": 10,
    "stream that raises": 5,
    "timeout in a middleware": 5,
    "left in the stream": 5,
    "left before the answer": 5,
}
LEFT: Final = {"left in the stream": ask("/endless"), "left before the answer": ask("/waits")}
_RESET: Final = struct.pack("ii", 1, 0)


@pytest.fixture
def _quiet() -> Iterator[None]:
    """Keep the servers' tracebacks from being written."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def visit(port: int, corner: str) -> int:
    """Send one request, and return the status of the answer; 0 when there is none to wait for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(LEFT.get(corner) or EXCHANGES[corner])
        await writer.drain()
        if corner == "left before the answer":
            # A farewell, not a reset: that might outrun the request itself.
            return 0
        head = await reader.readexactly(12)
        if corner == "left in the stream":
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        else:
            await reader.read()
        return int(head[9:])
    finally:
        writer.close()


async def visits(port: int, corners: list[str]) -> Counter[tuple[str, int]]:
    """Send all requests, so many at a time; count what came back."""
    waiting = iter(corners)
    seen: Counter[tuple[str, int]] = Counter()

    async def visitor() -> None:
        for corner in waiting:
            seen[corner, await visit(port, corner)] += 1

    await asyncio.gather(*(visitor() for _ in range(AT_A_TIME)))
    return seen


def settled(key: tuple[object, ...]) -> tuple[object, ...]:
    """Return the key without what depends on when a client left."""
    return (None, None, *key[2:]) if key[3] == CLIENT_LEFT else key


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("site", "server"), pairs(on=("waitress", "uvicorn"), variants=REQUESTS > 2_000)
)
def test_nothing_is_lost_counted_twice_or_left_in_flight(site: Site, server: str) -> None:
    mix = {corner: weight for corner, weight in MIX.items() if corner in site.records}
    corners = random.Random(7).choices([*mix], [*mix.values()], k=REQUESTS)
    ledger = Ledger()
    app = site.instrument(site.make_app(), reporter=ledger)
    with SERVERS[site.interface][server](app) as port:
        seen = asyncio.run(visits(port, corners))
        snapshot = ledger.settle(REQUESTS, 30)
    wf_instrument.shutdown(5)
    assert seen == Counter(
        (one, 0 if one == "left before the answer" else site.records[one].status) for one in corners
    )
    expected = Counter(settled(key_of(site.records[corner])) for corner in corners)
    counted: Counter[tuple[object, ...]] = Counter()
    for row in snapshot.requests:
        counted[settled(told(row))] += row.count
    assert +counted == expected
    assert snapshot.total_in_flight == ((site.framework, 0),)
    assert all(row.count == 0 for row in snapshot.in_flight)
