"""Reporters that raise, queues that are full and clocks that step back stay among ourselves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

import wf_instrument
from contract_cases import pairs
from contract_client import exchange
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import EXCHANGES
from wf_instrument.web import asgi, request, wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract_site import Site
    from wf_instrument.reporting.snapshot import Snapshot

CORNERS: Final = ("template", "not found", "raises", "stream", "stream that raises", "upload")
PAIRS: Final = pairs(on=("waitress", "hypercorn"))


@pytest.fixture(autouse=True)
def _shut_down() -> Iterator[None]:
    yield
    wf_instrument.shutdown(5)


def differing(site: Site, server: str, ledger: Ledger, **settings: object) -> list[str]:
    """Return the corners whose answers are not as without us."""
    serve = SERVERS[site.interface][server]
    ours = site.instrument(site.make_app(), reporter=ledger, **settings)
    with serve(site.make_app()) as plain_port, serve(ours) as port:
        found = [
            corner
            for corner in CORNERS
            if exchange(port, EXCHANGES[corner]) != exchange(plain_port, EXCHANGES[corner])
        ]
        wf_instrument.flush(5)
    return found


class Raising(Ledger):
    def report(self, snapshot: Snapshot) -> int:
        raise OSError("disk full")


@pytest.mark.expects_caught
@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_a_reporter_that_raises_is_not_seen_by_the_client(site: Site, server: str) -> None:
    assert differing(site, server, Raising()) == []


@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_full_buffers_lose_spans_and_no_counts(site: Site, server: str) -> None:
    ledger = Ledger()
    assert differing(site, server, ledger, max_buffered_spans=1, fold_after=1) == []
    snapshot = ledger.settle(len(CORNERS))
    assert sum(row.count for row in snapshot.requests) == len(CORNERS)


@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_clocks_that_run_backwards_change_no_answer_and_no_count(
    site: Site, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = [2_000_000_000_000_000_000]

    def back() -> int:
        now_ns[0] -= 3_600_000_000_000
        return now_ns[0]

    for module in (asgi, request, wsgi):
        clocks = [
            name
            for name, value in vars(module).items()
            if value in (time.time_ns, time.perf_counter_ns)
        ]
        assert clocks
        for name in clocks:
            monkeypatch.setattr(module, name, back)
    ledger = Ledger()
    assert differing(site, server, ledger) == []
    snapshot = ledger.settle(len(CORNERS))
    assert sum(row.count for row in snapshot.requests) == len(CORNERS)
    assert all(number == 0 for _, number in snapshot.total_in_flight)
