"""Strange paths and many routes make no more series than they may."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import pytest

import wf_instrument
from contract_cases import pairs
from contract_client import exchange
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import ask
from wf_instrument.reporting.snapshot import OVERFLOW_ROUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract_site import Site

#: The servers that are fastest.
PAIRS: Final = pairs(on=("waitress", "uvicorn"), variants=False)


@pytest.fixture(autouse=True)
def _shut_down() -> Iterator[None]:
    yield
    wf_instrument.shutdown(5)


@pytest.mark.slow
@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_a_thousand_unmatched_paths_are_one_series(site: Site, server: str) -> None:
    ledger = Ledger()
    app = site.instrument(site.make_app(), reporter=ledger)
    with SERVERS[site.interface][server](app) as port:
        for number in range(1000):
            # The same one now and then, to be told apart as the most frequent.
            answer = exchange(port, ask(f"/nothing/{number if number % 10 else 0}"))
            assert b" 404 " in answer[:16]
        snapshot = ledger.settle(1000)
    (row,) = snapshot.requests
    assert (row.key.route, row.count) == (None, 1000)
    assert snapshot.unmatched[0].path == "/nothing/0"
    assert len(snapshot.unmatched) <= 100


@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_routes_beyond_the_limit_share_one_series_and_are_told_of_once(
    site: Site, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    app = site.instrument(site.make_app(), reporter=ledger, max_series=5)
    with SERVERS[site.interface][server](app) as port:
        for number in (*range(20), *range(20)):
            exchange(port, ask(f"/many/{number}"))
        snapshot = ledger.settle(40)
    counts: dict[Any, int] = {row.key.route: row.count for row in snapshot.requests}
    assert sum(counts.values()) == 40
    assert counts.pop(OVERFLOW_ROUTE) == 30
    assert set(counts.values()) == {2}
    assert len(counts) == 5
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert len([one for one in warnings if "max_series" in one.getMessage()]) == 1
    points = {point.name: point.value for point in snapshot.self_points}
    assert points["wf_instrument.routes.overflowed"] == 30
