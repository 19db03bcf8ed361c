"""The sites, served with and without us by every server that can."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import wf_instrument
from contract_ledger import Ledger
from contract_servers import SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract_site import Site


@dataclass
class Stand:
    """One site on one server, twice.

    Attributes:
        plain: Port of the application as it is.
        ours: Port of the instrumented one.
        ledger: What is recorded of the latter.
    """

    site: Site
    server: str
    plain: int
    ours: int
    ledger: Ledger


@pytest.fixture(scope="module")
def stands() -> Iterator[Callable[[Site, str], Stand]]:
    """Return what serves a site, started when it is first asked for."""
    known: dict[tuple[str, str], Stand] = {}
    with ExitStack() as running:

        def stand(site: Site, server: str) -> Stand:
            key = (site.name, server)
            if key not in known:
                serve = SERVERS[site.interface][server]
                ledger = Ledger()
                ours = site.instrument(site.make_app(), reporter=ledger)
                known[key] = Stand(
                    site,
                    server,
                    running.enter_context(serve(site.make_app())),
                    running.enter_context(serve(ours)),
                    ledger,
                )
            return known[key]

        yield stand
    wf_instrument.shutdown(5)
