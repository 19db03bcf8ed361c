"""Whatever of ours fails, the client gets the very answer it would get without us."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import wf_instrument.integrations

import wf_instrument
import wf_instrument.tracing
import wf_instrument.web
from contract_client import exchange
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import EXCHANGES
from contract_sites.table import SITES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract_site import Site

pytestmark = pytest.mark.expects_caught

#: Corners that take every way through the drivers.
CORNERS: Final = (
    "template",
    "not found",
    "upload",
    "raises",
    "stream",
    "stream that raises",
    "stream of known length",
    "list body",
    "sized body",
    "written body",
    "file",
    "mounted",
    "head",
    "async view",
    "sync view",
    "early answer",
    "forged trace headers",
    "duplicate headers",
)

#: The border itself: what stands between server and application, and catches what the rest raises.
BORDER: Final = {
    "AsgiLayer.__call__",
    "AsgiRequest.finish",
    "AsgiRequest.receive",
    "AsgiRequest.returned",
    "AsgiRequest.send",
    "AsgiTelemetry.__call__",
    "AsgiTelemetry.asgi_serve",
    "AsgiTelemetry._begin",
    "_serve_shortly",
    "CountedInput.__getattr__",
    "CountedInput.__iter__",
    "CountedInput._count",
    "CountedInput.read",
    "CountedInput.readinto",
    "CountedInput.readline",
    "CountedInput.readlines",
    "Held.__init__",
    "RequestRecord.finish",
    "StarletteMiddleware.__call__",
    "TaskMeter.__call__",
    "TelemetryMiddleware.__call__",
    "WsgiRequest.__iter__",
    "WsgiRequest._within",
    "WsgiRequest._without_span",
    "WsgiRequest.close",
    "WsgiRequest.finish",
    "WsgiRequest.leave",
    "WsgiRequest.let_go",
    "WsgiRequest.response",
    "WsgiRequest.start_response",
    "WsgiRequest.write",
    "WsgiTelemetry.__call__",
    "WsgiTelemetry._begin",
    "WsgiTelemetry._serve_inner",
    "_Outermost.__call__",
    "_SizedBody.__iter__",
    "_SizedBody.__len__",
    "_SizedBody.close",
    "_awaiting",
    "_bridged_request",
    "_charged",
    "_driven",
    "_handled",
    "_metered",
    "_metered_request",
    "as_coroutine",
    "charge_so_far",
    "end_charge",
    "is_serving",
    "metered",
    "request_around",
    "stepped",
}

PACKAGES: Final = ("wf_instrument.web", "wf_instrument.integrations", "wf_instrument.tracing")

Step = tuple[str, list[tuple[Any, str]], Any]


def modules_on_the_way() -> list[Any]:
    """Return what is loaded: an integration may need more than its framework to be imported."""
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(PACKAGES)]


def steps() -> Iterator[Step]:
    """Yield each function of ours on a request's way, and all the places that know it."""
    modules = modules_on_the_way()
    ours = {module.__name__ for module in modules}
    known: dict[int, Step] = {}
    for module in modules:
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ in ours:
                known.setdefault(id(value), (value.__qualname__, [], value))[1].append(
                    (module, name)
                )
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                for attribute, member in vars(value).items():
                    if inspect.isfunction(member) and member.__module__ in ours:
                        known[id(member)] = (member.__qualname__, [(value, attribute)], member)
    for step in known.values():
        if step[0] not in BORDER:
            yield step


class BrokenError(RuntimeError):
    """What a step raises on purpose."""


class Watch:
    """Stands between server and application, and notes what of ours comes through."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.escaped: list[str] = []

    def note(self, error: BaseException) -> None:
        seen: BaseException | None = error
        while seen is not None:
            if isinstance(seen, BrokenError):
                self.escaped.append(str(seen))
                return
            seen = seen.__context__


class WatchedAsgi(Watch):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            self.note(error)
            raise


class WatchedWsgi(Watch):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        try:
            body = self.app(environ, start_response)
        except BaseException as error:
            self.note(error)
            raise
        return body if isinstance(body, list | tuple) else WatchedBody(self, body)


class WatchedBody:
    def __init__(self, watch: Watch, body: Any) -> None:
        self._watch = watch
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception as error:
            self._watch.note(error)
            raise

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        except BaseException as error:
            self._watch.note(error)
            raise


class Trial:
    """One site, served plain and with us; steps of ours are replaced while it runs."""

    def __init__(self, site: Site, plain_port: int, port: int) -> None:
        self.requests = {corner: EXCHANGES[corner] for corner in CORNERS if corner in site.records}
        self.plain = {
            corner: exchange(plain_port, request) for corner, request in self.requests.items()
        }
        self._port = port

    def differs(self, corner: str) -> bool:
        return exchange(self._port, self.requests[corner]) != self.plain[corner]

    def taken(self, patch: pytest.MonkeyPatch) -> dict[str, set[str]]:
        """Return which corners take which step."""
        taken: dict[str, set[str]] = {}
        corner = ""

        def counted(name: str, function: Any) -> Any:
            @functools.wraps(function)
            def step(*args: Any, **kwargs: Any) -> Any:
                if corner:  # the pipeline takes steps of its own
                    taken.setdefault(name, set()).add(corner)
                return function(*args, **kwargs)

            return step

        for name, places, function in steps():
            for owner, attribute in places:
                patch.setattr(owner, attribute, counted(name, function))
        for corner in self.requests:
            assert not self.differs(corner)
        wf_instrument.flush(5)
        return taken


@pytest.fixture
def _quiet() -> Iterator[None]:
    """Keep the servers' tracebacks, thousands of them, from being written."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("twin", ["as installed", "in Python"])
@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no spans"])
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_every_step_may_raise(
    site: Site,
    spans: bool,
    twin: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if twin == "in Python":
        # Short cuts in C have fewer steps that could be replaced.
        request.getfixturevalue("in_python")
    *_, serve = SERVERS[site.interface].values()
    ledger = Ledger()
    ours = site.instrument(site.make_app(), reporter=ledger, spans=spans)
    watch = {"asgi": WatchedAsgi, "wsgi": WatchedWsgi}[site.interface](ours)
    reached: set[tuple[str, str]] = set()
    with serve(type(watch)(site.make_app())) as plain_port, serve(watch) as port:
        trial = Trial(site, plain_port, port)
        with monkeypatch.context() as patch:
            taken = trial.taken(patch)
        for name, places, _ in steps():

            def broken(*args: Any, _name: str = name, **kwargs: Any) -> Any:
                raise BrokenError(_name)

            with monkeypatch.context() as patch:
                for owner, attribute in places:
                    patch.setattr(owner, attribute, broken)
                for corner in taken.get(name, ()):
                    if trial.differs(corner):
                        reached.add((name, corner))
        still_differ = [corner for corner in trial.requests if trial.differs(corner)]
    in_flight = dict(ledger.settle(1).total_in_flight)
    wf_instrument.shutdown(5)
    assert in_flight == {site.framework: 0}
    assert not sorted(reached)
    assert not watch.escaped
    assert not still_differ
    # The proof is worth what it took in.
    assert len(taken) > 10, sorted(taken)
