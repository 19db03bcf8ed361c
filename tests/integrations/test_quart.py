"""What Quart's requests are recorded as."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("quart", reason="Quart is an extra of its own")

import quart
from quart.utils import run_sync
from starlette.applications import Starlette
from starlette.routing import Mount
from wf_instrument.integrations.quart import instrument_app, uninstrument_app
from wf_instrument.integrations.starlette import instrument_app as instrument_starlette

import wf_instrument
from asgi_server import fetch, served_asgi
from recorded import burn, burnt, only_row, wait_for_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from wf_instrument.testing import RecordingReporter


def add_views(app: quart.Quart) -> None:
    @app.route("/style/<path:style>/make")
    async def make(style: str) -> str:
        return style

    @app.route("/boom")
    async def boom() -> str:
        raise ValueError("no shirts")

    @app.route("/handled")
    async def handled() -> str:
        raise KeyError("shirt")

    @app.errorhandler(KeyError)
    async def on_key_error(error: KeyError) -> tuple[str, int]:
        return "no such shirt", 409

    @app.route("/early")
    async def early() -> str:
        raise AssertionError("the hook answered")

    @app.before_request
    async def answer_early() -> str | None:
        return "early" if quart.request.path == "/early" else None

    shirts = quart.Blueprint("shirts", __name__, url_prefix="/shirts")

    @shirts.route("/<int:shirt>")
    async def one(shirt: int) -> str:
        return str(shirt)

    app.register_blueprint(shirts)


def add_busy_views(app: quart.Quart) -> None:
    @app.route("/busy")
    async def busy() -> str:
        burn(0.04)
        await asyncio.sleep(0.001)
        burn(0.04)
        return "busy"

    @app.route("/busy-sync")
    def busy_sync() -> str:
        burn(0.08)
        return "busy"

    @app.route("/busy-run-sync")
    async def busy_run_sync() -> str:
        await run_sync(burn)(0.08)
        return "busy"

    @app.route("/busy-parts")
    def busy_parts() -> Any:
        def parts() -> Iterator[str]:
            for _ in range(2):
                burn(0.04)
                yield "part"

        return parts()

    @app.route("/busy-async-parts")
    async def busy_async_parts() -> Any:
        async def parts() -> AsyncIterator[str]:
            for _ in range(2):
                burn(0.04)
                await asyncio.sleep(0.001)
                yield "part"

        return parts()


def add_slow_views(app: quart.Quart) -> None:
    @app.route("/stream")
    async def stream() -> Any:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield b"x" * 1000
                await asyncio.sleep(0.05)

        return parts()

    @app.route("/hold")
    async def hold() -> str:
        time.sleep(0.2)  # noqa: ASYNC251 - holding the loop is what it is for
        return "held"

    @app.route("/slow")
    async def slow() -> str:
        await asyncio.sleep(0.3)
        return "slow"


def made_app(name: str = "shop", **options: Any) -> quart.Quart:
    app = quart.Quart(name, **options)
    add_views(app)
    add_busy_views(app)
    add_slow_views(app)
    return app


@contextmanager
def site(reporter: RecordingReporter, app: quart.Quart | None = None) -> Iterator[int]:
    with served_asgi(instrument_app(app or made_app(), reporter=reporter)) as port:
        yield port


@pytest.mark.parametrize(
    ("method", "path", "route", "func", "status"),
    [
        ("GET", "/style/a/b/make", "/style/<path:style>/make", "make", 200),
        ("HEAD", "/style/a/make", "/style/<path:style>/make", "make", 200),
        ("GET", "/shirts/3", "/shirts/<int:shirt>", "shirts.one", 200),
        ("GET", "/early", "/early", "early", 200),
        ("GET", "/handled", "/handled", "handled", 409),
        ("GET", "/boom", "/boom", "boom", 500),
        ("GET", "/nothing", None, None, 404),
        ("DELETE", "/boom", None, None, 405),
    ],
    ids=["template", "head", "blueprint", "hook", "error-handler", "raises", "no-route", "405"],
)
def test_a_request_is_recorded_under_its_rule_endpoint_and_status(
    reporter: RecordingReporter,
    method: str,
    path: str,
    route: str | None,
    func: str | None,
    status: int,
) -> None:
    with site(reporter) as port:
        assert fetch(port, path, method)[0] == status
    key = only_row(reporter).key
    assert (key.framework, key.method, key.route, key.func, key.status) == (
        "quart", method, route, func, status,
    )  # fmt: skip


def test_a_view_that_raises_is_named_with_its_exception(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/boom")
    key = only_row(reporter).key
    assert (key.outcome, key.error_type) == ("server_error", "ValueError")
    (span,) = reporter.spans
    assert span.is_error
    assert dict(span.logs[0].fields)["message"] == "no shirts"


def test_an_exception_that_leaves_the_application_keeps_its_route(
    reporter: RecordingReporter,
) -> None:
    app = made_app()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with site(reporter, app) as port:
        assert fetch(port, "/boom")[0] == 500
    key = only_row(reporter).key
    assert (key.route, key.status, key.error_type) == ("/boom", 500, "ValueError")


def test_the_host_leads_the_template_of_an_application_that_routes_by_it(
    reporter: RecordingReporter,
) -> None:
    app = quart.Quart("shop", host_matching=True, static_host="static.example.org")

    @app.route("/cart", host="<shop>.example.org")
    async def cart(shop: str) -> str:
        return shop

    with site(reporter, app) as port:
        assert fetch(port, "/cart", Host="north.example.org")[2] == b"north"
    assert only_row(reporter).key.route == "<shop>.example.org/cart"


def test_an_application_mounted_in_another_framework_is_recorded_once_with_its_mount(
    reporter: RecordingReporter,
) -> None:
    inner = instrument_app(made_app(), reporter=reporter)
    outer = Starlette(routes=[Mount("/{tenant}/shop", inner)])
    with served_asgi(instrument_starlette(outer, reporter=reporter)) as port:
        assert fetch(port, "/north/shop/shirts/3")[2] == b"3"
    row = only_row(reporter)
    key = row.key
    assert row.count == 1
    assert (key.framework, key.route) == ("quart", "/{tenant}/shop/shirts/<int:shirt>")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/busy", "/busy-sync", "/busy-run-sync", "/busy-parts", "/busy-async-parts"]
)
def test_cpu_time_is_that_of_the_view_wherever_it_runs(
    reporter: RecordingReporter, path: str
) -> None:
    with site(reporter) as port:
        fetch(port, path)
    cpu = only_row(reporter).cpu
    assert cpu is not None
    assert 0.08 <= sum(burnt) <= cpu.sum <= sum(burnt) + 0.03


@pytest.mark.slow
def test_a_streamed_response_lasts_until_its_last_byte(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/stream")
    row = only_row(reporter)
    assert row.ttfb is not None
    assert row.response_bytes is not None
    assert row.response_bytes.sum == 5000
    assert row.latency.sum >= 0.2 > row.ttfb.sum


def test_a_background_task_is_not_in_the_request(reporter: RecordingReporter) -> None:
    app = quart.Quart("shop")
    is_released, is_done = threading.Event(), threading.Event()

    @app.route("/later")
    async def later() -> str:
        def task() -> None:
            is_released.wait(30)
            is_done.set()

        app.add_background_task(task)
        return "soon"

    with site(reporter, app) as port:
        assert fetch(port, "/later")[2] == b"soon"
        wait_for_row(reporter)
        assert only_row(reporter).key.route == "/later"
        assert not is_done.is_set()
        is_released.set()
        assert is_done.wait(5)


@pytest.mark.slow
def test_only_the_handler_that_holds_the_loop_is_named_by_it(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/shirts/3")
        fetch(port, "/slow")
        fetch(port, "/hold")
    assert wf_instrument.flush(5)
    held = {row.key.route: row.blocked.sum for row in reporter.requests if row.blocked is not None}
    assert list(held) == ["/hold"]
    assert 0.2 <= held["/hold"] < 2


def test_the_span_of_the_request_is_active_in_its_views(reporter: RecordingReporter) -> None:
    app = quart.Quart("shop")

    @app.route("/async")
    async def in_task() -> str:
        with wf_instrument.span("work"):
            return "done"

    @app.route("/sync")
    def in_thread() -> str:
        with wf_instrument.span("work"):
            return "done"

    with site(reporter, app) as port:
        fetch(port, "/async")
        fetch(port, "/sync")
    assert wf_instrument.flush(5)
    servers = {span.span_id for span in reporter.spans if span.name != "work"}
    parents = {s.parents[0][1] for s in reporter.spans if s.name == "work"}
    assert len(servers) == 2
    assert parents == servers


def test_a_lifespan_delivers_what_was_recorded(reporter: RecordingReporter) -> None:
    with site(reporter) as port:
        fetch(port, "/shirts/3")
    (row,) = reporter.requests
    assert row.count == 1


def test_instrumenting_twice_records_once_and_uninstrumenting_not_at_all(
    reporter: RecordingReporter,
) -> None:
    app = made_app()
    instrument_app(app, reporter=reporter)
    instrument_app(app, reporter=reporter)
    with served_asgi(app) as port:
        fetch(port, "/shirts/3")
        uninstrument_app(app)
        fetch(port, "/shirts/3")
        fetch(port, "/boom")
    assert only_row(reporter).count == 1


def test_uninstrumenting_an_application_wrapped_further_records_no_more(
    reporter: RecordingReporter,
) -> None:
    app = instrument_app(made_app(), reporter=reporter)
    within: Any = app.asgi_app

    async def further(*connection: Any) -> None:
        await within(*connection)

    app.asgi_app = further  # type: ignore[method-assign]
    with served_asgi(app) as port:
        fetch(port, "/shirts/3")
        uninstrument_app(app)
        assert fetch(port, "/shirts/3")[0] == 200
    assert only_row(reporter).count == 1


def test_the_application_is_recognised_by_its_class(reporter: RecordingReporter) -> None:
    app = wf_instrument.instrument(made_app(), reporter=reporter).app
    with served_asgi(app) as port:
        fetch(port, "/shirts/3")
    assert only_row(reporter).key.framework == "quart"
