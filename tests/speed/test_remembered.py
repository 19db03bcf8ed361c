"""What short cuts remember from request to request is never more than the twins would find."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import pickle
import types
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speed.test_odd_calls import END, START, environ, scope
from speed.trials import ROUTE, Stage, Trial
from wf_instrument import speed
from wf_instrument.tracing import WavefrontTracer
from wf_instrument.tracing.span_buffer import SpanBuffer
from wf_instrument.web.asgi import AsgiRequest, AsgiTelemetry
from wf_instrument.web.current import SPANLESS, current_request
from wf_instrument.web.wsgi import WsgiRequest, WsgiTelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("twin")


@pytest.fixture(params=[True, False], ids=["spans", "no spans"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Give a stage with and without spans, and shut its pipeline down."""
    stage = Stage(Trial(spans=request.param))
    yield stage
    stage.pipeline.shutdown(5)


def through_asgi(stage: Stage, server: Any, asked: dict[str, Any], app: Any = None) -> None:
    """Serve a request; `server` takes the messages."""

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(END)

    driver = AsgiTelemetry(app or plain, stage.recorder, lambda scope: ROUTE)
    asyncio.run(driver(asked, server, server))  # type: ignore[arg-type]  # a coroutine it is


def test_a_context_that_a_timer_keeps_does_not_keep_the_request(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    # As uvicorn's keep-alive timer, which is made when the last byte is sent, and cancelled.
    kept, seen = [], []

    class Server:
        async def __call__(self, message: Any) -> None:
            kept.append(contextvars.copy_context())
            seen.append(current_request() is not None)

    server = Server()
    is_gone = weakref.ref(server)
    through_asgi(stage, server, scope())
    del server
    assert seen == [True, True]
    assert [context.run(current_request) for context in kept] == [None, None]
    is_short_cut = speed.IS_COMPILED and "short cuts" in request.node.name
    if is_short_cut or stage.recorder.tracer is None:  # in Python a span keeps its request
        assert is_gone() is None


def test_a_request_within_another_leaves_that_one_current(stage: Stage) -> None:
    seen = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(END)

    async def outer(asked: Any, receive: Any, send: Any) -> None:
        own = current_request()
        await AsgiTelemetry(inner, stage.recorder, lambda scope: ROUTE)(scope(), quiet, quiet)
        seen.append(own is not None and current_request() is own)
        await send(START)
        await send(END)

    async def quiet(message: Any = None) -> None:
        pass

    through_asgi(stage, quiet, scope(), outer)
    assert seen == [True]


def test_requests_one_after_the_other_in_one_context_are_told_apart(stage: Stage) -> None:
    seen: list[Any] = []

    async def quiet(message: Any = None) -> None:
        pass

    async def app(asked: Any, receive: Any, send: Any) -> None:
        seen.append(current_request())
        await send(START)
        await send(END)

    async def both() -> None:
        driver = AsgiTelemetry(app, stage.recorder, lambda scope: ROUTE)
        for _ in range(2):
            await driver(scope(), quiet, quiet)
            seen.append(current_request())

    asyncio.run(both())
    assert None not in seen[::2]
    assert seen[0] is not seen[2]
    assert seen[1::2] == [None, None]


def test_a_changed_method_is_called_from_then_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, started = [], []

    async def server(message: Any = None) -> None:
        sent.append(message["type"])

    through_asgi(stage, server, scope())
    driver = WsgiTelemetry(wsgi_app, stage.recorder, lambda environ: ROUTE)
    driver(environ(), lambda *_: print)

    async def swallow(self: AsgiRequest, message: Any) -> None:
        sent.append("swallowed")

    def start(self: WsgiRequest, status: str, headers: Any) -> Any:
        started.append(status)

    monkeypatch.setattr(AsgiRequest, "send", swallow)
    monkeypatch.setattr(WsgiRequest, "start_response", start)
    through_asgi(stage, server, scope())
    driver(environ(), lambda *_: print)
    assert sent == [START["type"], END["type"], "swallowed", "swallowed"]
    assert started == ["200 OK"]


def wsgi_app(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [])
    return [b""]


def test_each_of_many_routes_and_methods_has_its_own_figures() -> None:
    # More of them than a table of the latest has places; of each two requests, not in a row.
    stage = Stage(Trial(spans=False, options={"max_series": 10_000}))
    routes = [f"/route/{number}" for number in range(600)]
    methods = ["GET", "PUT", "get", "M\u00e9thode"]
    driver = WsgiTelemetry(wsgi_app, stage.recorder, lambda environ: environ["route"])
    for _ in range(2):
        for method in methods:
            for route in routes:
                driver({**environ(), "REQUEST_METHOD": method, "route": route}, lambda *_: print)
    stage.pipeline.flush(5)
    counts: dict[tuple[str | None, str], int] = {}
    for row in stage.reporter.requests:
        key = (row.key.route, row.key.method)
        counts[key] = counts.get(key, 0) + row.latency.count
    stage.pipeline.shutdown(5)
    assert counts == {
        **{(route, method): 2 for route in routes for method in ("GET", "PUT")},
        **{(route, "_OTHER"): 4 for route in routes},
    }


names = st.one_of(
    st.sampled_from([b"x-request-start", b"traceparent", b"host", b"accept", b"b3", b""]),
    st.binary(max_size=20),
)


@given(headers=st.lists(st.tuples(names, st.just(b"00-x")), max_size=5))
def test_headers_that_matter_are_found_among_any_others(headers: list[tuple[bytes, bytes]]) -> None:
    stage = Stage(Trial())
    wanted = stage.recorder.noted_headers
    noted: list[bool] = []

    def note(self: AsgiRequest, scope: Any, *, traces_all: bool) -> None:
        noted.append(traces_all)

    async def quiet(message: Any = None) -> None:
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsgiRequest, "_note_headers", note)
        through_asgi(stage, quiet, {**scope(), "headers": headers})
    stage.pipeline.shutdown(5)
    assert b"x-request-start" in wanted
    assert bool(noted) == any(name in wanted for name, _ in headers)


def test_what_a_subclass_of_the_tracer_has_in_the_place_of_fields_is_used() -> None:
    class Red(WavefrontTracer):
        red_metrics: Any = None

    class Taking(WavefrontTracer):
        def take(self, span: Any) -> None:
            taken.append(span)

        def __setattr__(self, name: str, value: Any) -> None:
            if name != "take":
                super().__setattr__(name, value)

    taken: list[Any] = []
    recorded: list[Any] = []
    red = Red(SpanBuffer())
    red.red_metrics = SimpleNamespace(record=recorded.append)
    for tracer in (red, Taking(SpanBuffer())):
        stage = Stage(Trial())
        stage.recorder.tracer = tracer
        WsgiTelemetry(wsgi_app, stage.recorder, lambda environ: ROUTE)(environ(), lambda *_: print)
        tracer.start_span("own").finish()
        stage.pipeline.shutdown(5)
    assert (len(recorded), len(taken)) == (2, 2)


def test_a_tracer_and_its_buffer_can_be_copied() -> None:
    buffer = SpanBuffer(max_spans=float("inf"))
    tracer = copy.copy(WavefrontTracer(buffer))
    tracer.start_span("own").finish()
    assert len(copy.copy(buffer)._spans) == 1  # noqa: SLF001 - what is copied
    assert pickle.loads(pickle.dumps(WavefrontTracer(None))).keeps_all is True


def test_a_copied_tracer_counts_on_by_itself() -> None:
    tracer = WavefrontTracer(None)
    tracer.count_discarded()
    copied = pickle.loads(pickle.dumps(tracer))
    copied.count_discarded()
    assert (tracer.discarded, copied.discarded) == (1, 2)
    tracer.count_discarded()
    assert (tracer.discarded, copied.discarded) == (2, 2)


def test_a_tracer_is_whole_again_after_a_mock() -> None:
    buffer = SpanBuffer()
    tracer = WavefrontTracer(buffer)
    with mock.patch.object(tracer, "take") as take:
        tracer.start_span("mocked").finish()
    tracer.start_span("own").finish()
    take.assert_called_once()
    assert len(buffer._spans) == 1  # noqa: SLF001 - where they wait


def test_a_context_of_an_application_that_fails_at_once_holds_nothing_to_run() -> None:
    stage, kept = Stage(Trial(spans=False)), []

    def app(scope: Any, receive: Any, send: Any) -> Any:
        kept.append(contextvars.copy_context())
        raise RuntimeError

    async def quiet(message: Any = None) -> None:
        pass

    with pytest.raises(RuntimeError):
        through_asgi(stage, quiet, scope(), app)
    stage.pipeline.shutdown(5)
    held: Any = kept[0][SPANLESS]
    assert held.served_request is None
    if speed.IS_COMPILED and hasattr(held, "send"):
        with pytest.raises(RuntimeError, match="already awaited"):
            held.send(None)


def test_a_method_that_is_made_anew_each_time_is_asked_for_each_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    class Alternating:
        turn = 0

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            if instance is None:
                return self
            self.turn += 1
            turn = self.turn

            async def send(self: Any, message: Any) -> None:
                sent.append(str(turn))

            return types.MethodType(send, instance)

    async def quiet(message: Any = None) -> None:
        pass

    monkeypatch.setattr(AsgiRequest, "send", Alternating())
    for _ in range(3):
        through_asgi(stage, quiet, scope())
    assert sent == ["1", "1", "2", "2", "3", "3"]
