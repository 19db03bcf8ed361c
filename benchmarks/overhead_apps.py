"""What `request_overhead.py` measures: an application a framework, wrapped in each way."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overhead_opentelemetry import providers

import wf_instrument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATH = "/style/x-1/make"


@dataclass
class Variant:
    """An application as a server would call it, and what ends a round of requests."""

    app: Any
    drain: Callable[[], object] = lambda: None


# What is measured against, the same for every framework.


def wsgi_floor(inner: Any) -> Any:
    """The least any timing costs: the clock reads and one dictionary increment."""
    counts: dict[str, int] = {}

    def timed(env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        time.time_ns()
        begun, cpu = time.perf_counter_ns(), time.thread_time_ns()
        body: Iterable[bytes] = inner(env, start_response)
        _ = time.perf_counter_ns() - begun, time.thread_time_ns() - cpu
        counts["n"] = counts.get("n", 0) + 1
        return body

    return timed


def asgi_floor(inner: Any) -> Any:
    """As `wsgi_floor`."""
    counts: dict[str, int] = {}

    async def timed(scope: Any, receive: Any, send: Any) -> None:
        time.time_ns()
        begun, cpu = time.perf_counter_ns(), time.thread_time_ns()
        await inner(scope, receive, send)
        _ = time.perf_counter_ns() - begun, time.thread_time_ns() - cpu
        counts["n"] = counts.get("n", 0) + 1

    return timed


def ours(app: Any, *, spans: bool) -> Variant:
    """The application instrumented by us."""
    made = wf_instrument.instrument(app, reporter="null://", spans=spans, tick_s=60)
    return Variant(made.app, wf_instrument.flush)


# The applications.


def flask_app() -> Any:
    import flask

    app = flask.Flask("bench")

    @app.route("/style/<path:id>/make")
    def make_shirts(id: str) -> str:  # noqa: A002 - as in the documentation's example
        return f"Shirts {id} made."

    return app


def wsgi_app() -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "16")])
        return [b"Shirts x-1 made."]

    return app


def asgi_app() -> Any:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"16")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"Shirts x-1 made."})

    return app


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def make_shirts(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"Shirts {request.path_params['id']} made.")

    return Starlette(routes=[Route("/style/{id:path}/make", make_shirts)])


def fastapi_app() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/style/{id:path}/make")
    async def make_shirts(id: str) -> str:  # noqa: A002 - as above
        return f"Shirts {id} made."

    return app


def django_app(*middleware: str) -> Any:
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    if not settings.configured:
        import django
        from django.http import HttpResponse
        from django.urls import path

        def make_shirts(request: Any, id: str) -> HttpResponse:  # noqa: A002 - as above
            return HttpResponse(f"Shirts {id} made.")

        routes = type(sys)("bench_urls")
        routes.urlpatterns = [path("style/<path:id>/make", make_shirts)]  # type: ignore[attr-defined]
        sys.modules["bench_urls"] = routes
        settings.configure(ROOT_URLCONF="bench_urls", ALLOWED_HOSTS=["*"], MIDDLEWARE=[])
        django.setup()
    settings.MIDDLEWARE = list(middleware)
    return WSGIHandler()


MAKERS: dict[str, Callable[[], Any]] = {
    "flask": flask_app,
    "wsgi": wsgi_app,
    "django": django_app,
    "asgi": asgi_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
}
WSGI = {"flask", "wsgi", "django"}


# OpenTelemetry's instrumentation of each, and the exporters of metrics alone.


def opentelemetry(framework: str) -> Variant:
    """Traces and metrics, batch processor and periodic reader, exporters that do nothing."""
    tracing, meters, drain = providers()
    both: dict[str, Any] = {"tracer_provider": tracing, "meter_provider": meters}
    app = None if framework == "django" else MAKERS[framework]()
    if framework == "flask":
        from opentelemetry.instrumentation.flask import FlaskInstrumentor

        FlaskInstrumentor().instrument_app(app, **both)
    elif framework == "starlette":
        from opentelemetry.instrumentation.starlette import StarletteInstrumentor

        StarletteInstrumentor.instrument_app(app, **both)
    elif framework == "fastapi":
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(app, **both)
    elif framework == "asgi":
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as AsgiMiddleware

        app = AsgiMiddleware(app, **both)
    elif framework == "wsgi":
        from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

        app = OpenTelemetryMiddleware(app, **both)
    else:
        from opentelemetry.instrumentation.django import DjangoInstrumentor

        django_app()  # settings are there
        DjangoInstrumentor().instrument(**both)
        from django.conf import settings

        app = django_app(*settings.MIDDLEWARE)
    return Variant(app, drain)


def prometheus(framework: str) -> Variant:
    """The metrics-only exporter of the framework, where there is one."""
    if framework == "flask":
        from prometheus_client import CollectorRegistry
        from prometheus_flask_exporter import PrometheusMetrics

        app = flask_app()
        PrometheusMetrics(app, registry=CollectorRegistry())
        return Variant(app)
    if framework == "starlette":
        from starlette_exporter import PrometheusMiddleware

        app = starlette_app()
        app.add_middleware(PrometheusMiddleware)
        return Variant(app)
    if framework == "fastapi":
        from prometheus_client import CollectorRegistry
        from prometheus_fastapi_instrumentator import Instrumentator

        app = fastapi_app()
        Instrumentator(registry=CollectorRegistry()).instrument(app)
        return Variant(app)
    if framework == "django":
        before = "django_prometheus.middleware.PrometheusBeforeMiddleware"
        after = "django_prometheus.middleware.PrometheusAfterMiddleware"
        return Variant(django_app(before, after))
    raise ImportError(f"no exporter for {framework}")


def floor(framework: str) -> Variant:
    """The application inside the floor."""
    return Variant((wsgi_floor if framework in WSGI else asgi_floor)(MAKERS[framework]()))


VARIANTS: dict[str, Callable[[str], Variant]] = {
    "bare": lambda framework: Variant(MAKERS[framework]()),
    "floor": floor,
    "ours, metrics": lambda framework: ours(MAKERS[framework](), spans=False),
    "ours, metrics + span": lambda framework: ours(MAKERS[framework](), spans=True),
    "Prometheus exporter, metrics": prometheus,
    "OpenTelemetry, traces + metrics": opentelemetry,
}


# Calling them.


def call_wsgi(app: Any, requests: int) -> Callable[[], None]:
    """Return what serves so many requests; what a server makes for each is made before."""

    def start_response(*_: Any) -> Callable[[bytes], None]:
        return lambda data: None

    environs = [_environ() for _ in range(requests)]

    def serve() -> None:
        for environ in environs:
            body = app(environ, start_response)
            for _ in body:
                pass
            close = getattr(body, "close", None)
            if close is not None:
                close()

    return serve


def _environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "HTTP_USER_AGENT": "bench",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def call_asgi(app: Any, requests: int) -> Callable[[], None]:
    """As `call_wsgi`; one event loop serves all of them, each in a task, as servers do."""
    scopes = [_scope() for _ in range(requests)]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for scope in scopes:
            await loop.create_task(app(scope, receive, send))

    return lambda: asyncio.run(serve())


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8080"), (b"user-agent", b"bench"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }
