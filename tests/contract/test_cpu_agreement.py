"""CPU time is what the thread's own clock says in the handler, with a hundred requests at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import flask
import pytest
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from wf_instrument.integrations import django as django_integration
from wf_instrument.integrations import fastapi as fastapi_integration
from wf_instrument.integrations import flask as flask_integration
from wf_instrument.integrations import starlette as starlette_integration

import django_site
import wf_instrument
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import ask
from contract_sites.starlette_corners import OwnTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

    from wf_instrument.reporting.snapshot import Snapshot

pytestmark = pytest.mark.slow

REQUESTS: Final = 100
#: CPU seconds of each of a handler's two parts, at first. What frameworks themselves take of the
#: other tenth is up to a millisecond, with a pool of threads that contend for the interpreter.
PART_S: Final = 0.01

#: What handlers took by the clock of the thread they ran in.
spent: list[float] = []


class Burning:
    """How long the parts are now: a framework's own share is less of a longer one."""

    part_s = PART_S


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    spent.clear()
    django_site.spent.clear()
    Burning.part_s = PART_S
    with override_settings(ROOT_URLCONF=DJANGO_URLS):
        yield
    wf_instrument.shutdown(5)


#: Of the handlers' own time, and how often it may be measured on a busy machine.
MOST: Final = 1.1
TRIES: Final = 3


def burn(parts: int = 1) -> None:
    begun = time.thread_time()
    while time.thread_time() < begun + parts * Burning.part_s:
        pass
    spent.append(time.thread_time() - begun)


async def in_parts() -> None:
    """Burn in two steps, between which the others have theirs."""
    burn()
    await asyncio.sleep(0.001)
    burn()


async def async_endpoint(request: Request) -> PlainTextResponse:
    await in_parts()
    return PlainTextResponse("busy")


def sync_endpoint(request: Request) -> PlainTextResponse:
    burn(2)
    return PlainTextResponse("busy")


async def fastapi_endpoint() -> str:
    await in_parts()
    return "busy"


def fastapi_sync_endpoint() -> str:
    burn(2)
    return "busy"


def starlette_app(*middleware: Any) -> Callable[..., Any]:
    def made(ledger: Ledger) -> Any:
        routes = [Route("/busy-async", async_endpoint), Route("/busy", sync_endpoint)]
        app = Starlette(routes=routes, middleware=[Middleware(one) for one in middleware])
        return starlette_integration.instrument_app(app, reporter=ledger)

    return made


def fastapi_app(ledger: Ledger) -> Any:
    app = FastAPI()
    app.add_api_route("/busy-async", fastapi_endpoint)
    app.add_api_route("/busy", fastapi_sync_endpoint)
    return fastapi_integration.instrument_app(app, reporter=ledger)


def flask_app(ledger: Ledger) -> Any:
    app = flask.Flask("busy")

    @app.route("/busy")
    def busy() -> str:
        burn(2)
        return "busy"

    @app.route("/busy-async")
    async def busy_async() -> str:
        await in_parts()
        return "busy"

    return flask_integration.instrument_app(app, reporter=ledger)


def django_busy(request: Any) -> HttpResponse:
    burn(2)
    return HttpResponse("busy")


async def django_busy_async(request: Any) -> HttpResponse:
    await in_parts()
    return HttpResponse("busy")


DJANGO_URLS: Final = (path("busy", django_busy), path("busy-async", django_busy_async))


def django_app(interface: str, *middleware: str) -> Callable[..., Any]:
    def made(ledger: Ledger) -> Any:
        with override_settings(MIDDLEWARE=[f"django_site.{name}" for name in middleware]):
            app = get_wsgi_application() if interface == "wsgi" else get_asgi_application()
        return django_integration.instrument_app(app, reporter=ledger)

    return made


async def _visit(port: int, target: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ask(target))
    assert (await reader.readexactly(12))[9:] == b"200"
    await reader.read()
    writer.close()


async def _visit_at_once(port: int, target: str, count: int) -> None:
    await asyncio.gather(*(_visit(port, target) for _ in range(count)))


CASES: Final = [
    pytest.param(made, server, target, id=f"{name}-{server}{target.replace('/', '-')}")
    for name, made, server in (
        ("starlette", starlette_app(), "uvicorn"),
        ("starlette-own-task", starlette_app(OwnTask), "uvicorn"),
        ("fastapi", fastapi_app, "uvicorn"),
        ("flask", flask_app, "waitress"),
        ("django-wsgi", django_app("wsgi"), "waitress"),
        ("django-asgi", django_app("asgi"), "uvicorn"),
        ("django-asgi-own-task", django_app("asgi", "BusyAsync"), "uvicorn"),
    )
    for target in ("/busy-async", "/busy")
]


@pytest.mark.parametrize(("made", "server", "target"), CASES)
def test_cpu_time_agrees_with_the_clock_read_in_the_handler(
    made: Callable[[Ledger], Any], server: str, target: str
) -> None:
    ledger = Ledger()
    interface = "asgi" if server in SERVERS["asgi"] else "wsgi"
    with SERVERS[interface][server](made(ledger)) as port:
        # What is made once is not looked at.
        asyncio.run(_visit_at_once(port, target, 1))
        ledger.take_rows()
        shares = []
        # A neighbour on the machine makes steps of the framework's longer: then with longer parts.
        while len(shares) < TRIES and (not shares or min(shares) > MOST):
            spent.clear()
            django_site.spent.clear()
            asyncio.run(_visit_at_once(port, target, REQUESTS))
            (row,) = ledger.take_rows(REQUESTS, 60)
            in_handlers = sum(spent) + sum(django_site.spent)
            assert row.count == REQUESTS
            assert row.cpu is not None
            assert row.cpu.count == REQUESTS
            assert row.cpu.sum >= in_handlers
            shares.append(row.cpu.sum / in_handlers)
            Burning.part_s *= 2
    assert min(shares) <= MOST


# A loop that is held ----------------------------------------------------------------------------


def holding_app(ledger: Ledger, *middleware: Any) -> Any:
    was_held = threading.Event()

    async def holds(request: Request) -> PlainTextResponse:
        time.sleep(0.2)  # noqa: ASYNC251 - holding the loop is what it is for
        was_held.set()
        return PlainTextResponse("held")

    async def innocent(request: Request) -> PlainTextResponse:
        # Not one long wait: its next step is due while the loop is held.
        while not was_held.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return PlainTextResponse("innocent")

    app = Starlette(
        routes=[Route("/holds", holds), Route("/innocent", innocent)],
        middleware=[Middleware(one) for one in middleware],
    )
    return starlette_integration.instrument_app(app, reporter=ledger)


def is_full_of_innocents(snapshot: Snapshot) -> bool:
    return any((row.route, row.count) == ("/innocent", 20) for row in snapshot.in_flight)


@pytest.mark.parametrize("middleware", [(), (OwnTask,)], ids=["plain", "own-task"])
def test_only_the_handler_that_held_the_loop_is_named_by_it(middleware: tuple[Any, ...]) -> None:
    ledger = Ledger()
    app = holding_app(ledger, *middleware)

    async def together(port: int) -> None:
        waiting = asyncio.ensure_future(_visit_at_once(port, "/innocent", 20))
        await asyncio.to_thread(ledger.settle_when, is_full_of_innocents)
        await _visit(port, "/holds")
        await waiting

    with SERVERS["asgi"]["uvicorn"](app) as port:
        asyncio.run(together(port))
        rows = {row.key.route: row for row in ledger.take_rows(21)}
    held = rows["/holds"].blocked
    assert held is not None
    assert (held.count, 0.2 <= held.sum < 0.5) == (1, True)
    # They waited, too: it is not theirs.
    assert rows["/innocent"].blocked is None


# Under gevent -----------------------------------------------------------------------------------

UNDER_GEVENT: Final = """
from gevent import monkey; monkey.patch_all()
import gevent, gevent.pywsgi, urllib.request
import flask, wf_instrument
from wf_instrument.integrations.flask import instrument_app
from wf_instrument.testing import RecordingReporter

reporter = RecordingReporter()
app = flask.Flask("busy")

@app.route("/busy")
def busy():
    for _ in range(3):
        sum(range(100_000))
        gevent.sleep(0.001)
    return "busy"

instrument_app(app, reporter=reporter)
server = gevent.pywsgi.WSGIServer(("127.0.0.1", 0), app, log=None)
server.start()
url = f"http://127.0.0.1:{server.server_port}/busy"
jobs = [gevent.spawn(lambda: urllib.request.urlopen(url).read()) for _ in range(20)]
gevent.joinall(jobs, raise_error=True)
server.stop()
wf_instrument.flush(5)
print([(row.key.route, row.count, row.cpu) for row in reporter.requests])
"""


def test_under_gevent_there_is_no_cpu_time_rather_than_that_of_other_greenlets(
    tmp_path: Path,
) -> None:
    pytest.importorskip("gevent", reason="gevent is no dependency; where it is, this must hold")
    done = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,  # not in the tree, which has no integrations in their place
    )
    assert done.stdout == "[('/busy', 20, None)]\n", done.stderr
