"""What stands around an application: prefixes, more of our own layers, exclusions, lifespans."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import wf_instrument
from contract_cases import key_of, pairs, told
from contract_client import exchange
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import EXCHANGES, ask
from contract_sites.table import SITES
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract_site import Site


#: The servers that start and stop at once: a site is served anew by each test here.
PAIRS: Final = pairs(on=("waitress", "hypercorn"))


@pytest.fixture(autouse=True)
def _shut_down() -> Iterator[None]:
    yield
    wf_instrument.shutdown(5)


class Below:
    """Serves an ASGI application below a prefix, as a server with a root path does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/prefix"}
        await self.app(scope, receive, send)


def below(site: Site, app: Any) -> Any:
    if site.interface == "asgi":
        return Below(app)
    return DispatcherMiddleware(lambda environ, start_response: [], {"/prefix": app})


@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_a_prefix_is_in_the_url_and_not_in_the_route(site: Site, server: str) -> None:
    ledger = Ledger()
    serve = SERVERS[site.interface][server]
    request = ask("/prefix/item/7?secret=1")
    ours = site.instrument(site.make_app(), reporter=ledger)
    with serve(below(site, site.make_app())) as plain_port, serve(below(site, ours)) as port:
        assert exchange(port, request) == exchange(plain_port, request)
        snapshot = ledger.settle(1, spans=1)
    (row,) = snapshot.requests
    assert told(row) == key_of(site.records["template"])
    (span,) = snapshot.spans
    assert dict(span.tags)["http.url"] == "http://site.test/prefix/item/7"


@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_more_layers_of_ours_record_a_request_once(site: Site, server: str) -> None:
    ledger = Ledger()
    serve = SERVERS[site.interface][server]
    app = site.instrument(site.make_app(), reporter=ledger)
    app = site.instrument(app, reporter=ledger)
    app = site.wrap(app, reporter=ledger)
    corners = ("template", "not found", "raises", "stream", "stream that raises", "mounted")
    with serve(site.make_app()) as plain_port, serve(app) as port:
        for corner in corners:
            if corner not in site.records:
                continue
            assert exchange(port, EXCHANGES[corner]) == exchange(plain_port, EXCHANGES[corner])
            snapshot = ledger.settle(1, spans=1)
            (row,) = (row for row in snapshot.requests if row.count)
            assert row.count == 1
            assert told(row) == key_of(site.records[corner])
            assert len(snapshot.spans) == 1
            assert all(number == 0 for _, number in snapshot.total_in_flight)


@pytest.mark.parametrize(("site", "server"), PAIRS)
def test_an_excluded_url_leaves_no_trace(site: Site, server: str) -> None:
    ledger = Ledger()
    serve = SERVERS[site.interface][server]
    ours = site.instrument(site.make_app(), reporter=ledger, excluded_urls=("^/item/", "boom"))
    corners = ("template", "raises", "forged trace headers", "plain")
    with serve(site.make_app()) as plain_port, serve(ours) as port:
        for corner in corners:
            assert exchange(port, EXCHANGES[corner]) == exchange(plain_port, EXCHANGES[corner])
        snapshot = ledger.settle(1, spans=1)
    (row,) = snapshot.requests
    assert (row.count, row.key.route) == (1, site.records["plain"].route)
    assert len(snapshot.spans) == 1
    assert snapshot.unmatched == ()


def start_of(app: Any) -> tuple[list[Any], str]:
    """Return what an application tells the server that starts it, and what it raises."""
    sent: list[Any] = []
    # Quart asks on after it told that there is no starting.
    events = iter(("lifespan.startup", "lifespan.shutdown"))

    async def receive() -> dict[str, str]:
        return {"type": next(events)}

    async def send(message: dict[str, str]) -> None:
        sent.append(message)

    raised = ""
    try:
        asyncio.run(app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send))
    except Exception as error:  # noqa: BLE001 - Litestar raises a group of them
        raised = repr(error)
    return sent, raised


@pytest.mark.parametrize(
    "site",
    [site for site in SITES if "start-up fails" in site.records],
    ids=lambda site: site.name,
)
def test_a_start_that_fails_is_told_to_the_server_as_it_was(site: Site) -> None:
    plain = start_of(site.make_app(fails_to_start=True))
    ours = start_of(
        site.instrument(site.make_app(fails_to_start=True), reporter=RecordingReporter())
    )
    assert plain[0][0]["type"] == "lifespan.startup.failed"
    assert ours == plain
