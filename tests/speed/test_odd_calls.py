"""What servers and applications may do, though few do: both twins answer it in the same way."""

from __future__ import annotations

import asyncio
import inspect
import types
from typing import TYPE_CHECKING, Any

import pytest

from speed.trials import ROUTE, Stage, Trial
from wf_instrument.web.asgi import AsgiTelemetry
from wf_instrument.web.wsgi import WsgiTelemetry

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"end"}


pytestmark = pytest.mark.usefixtures("twin")


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage, and shut its pipeline down."""
    stage = Stage(Trial())
    yield stage
    stage.pipeline.shutdown(5)


def ends(stage: Stage) -> list[tuple[int, str, str | None]]:
    """Return how the requests ended."""
    stage.pipeline.flush(5)
    keys = [row.key for row in stage.reporter.requests]
    return [(key.status, key.outcome, key.error_type) for key in keys]


def get(stage: Stage, body: Any) -> Any:
    """Return what a WSGI server is given for a request that is answered with `body`."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return body

    driver = WsgiTelemetry(app, stage.recorder, lambda environ: ROUTE)
    return driver(environ(), lambda *_: print)


def environ() -> dict[str, Any]:
    """Return the environ of an ordinary request."""
    known = {"REQUEST_METHOD": "GET", "PATH_INFO": "/things/1", "SCRIPT_NAME": ""}
    return {**known, "HTTP_HOST": "h", "wsgi.url_scheme": "http"}


def scope() -> dict[str, Any]:
    """Return the scope of an ordinary request."""
    headers = [(b"host", b"shop.example")]
    return {"type": "http", "method": "GET", "path": "/things/1", "headers": headers}


def answer(stage: Stage, send: Any, asked: dict[str, Any] | None = None) -> None:
    """Serve a request of ASGI, whose server takes messages by `send`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if asked is not None:
            scope["headers"][:] = asked["headers"]
        await send(START)
        await send(END)

    async def serve() -> None:
        await AsgiTelemetry(app, stage.recorder, lambda scope: ROUTE)(scope(), send, send)

    asyncio.run(serve())


def test_a_body_may_say_by_none_that_there_is_nothing_to_close(stage: Stage) -> None:
    class Body:
        close = None

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"abc"])

    body = get(stage, Body())
    assert list(body) == [b"abc"]
    body.close()
    assert ends(stage) == [(200, "ok", None)]


def test_a_closed_response_has_no_more_chunks(stage: Stage) -> None:
    body = get(stage, iter([b"abc"]))
    begun_before = iter(body)
    assert list(body) == [b"abc"]
    body.close()
    assert list(begun_before) == list(body) == []


def test_a_body_may_change_while_it_is_measured(stage: Stage) -> None:
    body: list[Any] = []

    class Chunk(bytes):
        def __len__(self) -> int:
            body.clear()
            return 1

    body += [Chunk(b"a") for _ in range(50)]
    assert get(stage, body) is body


def test_start_response_takes_names(stage: Stage) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status="200 OK", headers=[])
        return [b""]

    driver: Any = WsgiTelemetry(app, stage.recorder, lambda environ: ROUTE)
    assert driver(environ=environ(), start_response=lambda *_: print) == [b""]
    assert ends(stage) == [(200, "ok", None)]


def test_an_interrupted_look_at_exclusions_interrupts(stage: Stage) -> None:
    class Interrupted:
        asked = 0

        def search(self, path: str) -> None:
            self.asked += 1
            if self.asked == 1:
                raise KeyboardInterrupt

    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    stage.recorder.excluded = Interrupted()  # type: ignore[assignment]  # stands in for a pattern
    with pytest.raises(KeyboardInterrupt):
        get(stage, [b""])
    stage.recorder.excluded = Interrupted()  # type: ignore[assignment]  # as above
    served = AsgiTelemetry(app, stage.recorder, lambda scope: ROUTE)
    with pytest.raises(KeyboardInterrupt):
        served(scope(), print, print).send(None)  # type: ignore[arg-type, attr-defined]  # not asked


def test_what_an_application_raises_when_closed_ended_the_request(stage: Stage) -> None:
    @types.coroutine
    def pause() -> Generator[None, None, None]:
        yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await pause()
        finally:
            raise ValueError("while closing")

    serving: Any = AsgiTelemetry(app, stage.recorder, lambda scope: ROUTE)(scope(), *[print] * 2)
    serving.send(None)
    with pytest.raises(ValueError, match="while closing"):
        serving.close()
    assert ends(stage) == [(500, "server_error", "ValueError")]


def test_the_send_of_a_server_may_be_a_coroutine_of_generators(stage: Stage) -> None:
    told = []

    @types.coroutine
    def send(message: Any) -> Generator[None, None, None]:
        yield
        told.append(message)

    answer(stage, send)
    assert told == [START, END]
    assert ends(stage) == [(200, "ok", None)]


def test_a_send_that_cannot_be_awaited_fails_as_without_us(stage: Stage) -> None:
    with pytest.raises(TypeError, match="await"):
        answer(stage, lambda message: None)


def test_an_empty_body_may_be_anything_false(stage: Stage) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({**END, "body": False})

    async def send(message: Any) -> None: ...

    asyncio.run(AsgiTelemetry(app, stage.recorder, lambda scope: ROUTE)(scope(), print, send))  # type: ignore[arg-type]  # not asked
    assert ends(stage) == [(200, "ok", None)]


@pytest.mark.parametrize("header", [(), None, b"host", (b"host",)])
@pytest.mark.expects_caught
def test_an_application_may_break_the_headers_it_was_given(stage: Stage, header: Any) -> None:
    async def send(message: Any) -> None: ...

    answer(stage, send, {"headers": [header]})
    assert ends(stage) == [(200, "ok", None)]


def test_send_looks_like_the_coroutine_function_that_it_is(stage: Stage) -> None:
    told: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.extend([inspect.iscoroutinefunction(send), send.__name__, inspect.signature(send)])
        await send(message=START)
        await send(END)

    async def send(message: Any) -> None:
        told.append(message)

    served = AsgiTelemetry(app, stage.recorder, lambda scope: ROUTE)
    asyncio.run(served(scope(), print, send))  # type: ignore[arg-type]  # not asked
    assert told[:2] == [True, "send"]
    assert "message" in str(told[2])
    assert told[3:] == [START, END]
    assert ends(stage) == [(200, "ok", None)]


@pytest.mark.parametrize("how", ["send", "throw", "close"])
def test_an_application_that_resumes_itself_is_refused(stage: Stage, how: str) -> None:
    served: list[Any] = []

    async def quiet(message: Any = None) -> None:
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        resume = getattr(served[0], how)
        with pytest.raises(ValueError, match="already executing"):
            resume(*{"send": [None], "throw": [KeyError], "close": []}[how])
        await send(START)
        await send(END)

    async def serve() -> None:
        driver = AsgiTelemetry(app, stage.recorder, lambda scope: ROUTE)
        asked: Any = (scope(), quiet, quiet)
        served.append(driver.asgi_serve(*asked) or driver(*asked))
        await served[0]

    asyncio.run(serve())
    assert ends(stage) == [(200, "ok", None)]
