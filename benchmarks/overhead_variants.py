"""The ways in which `request_overhead.py` wraps an application: bare, floor, ours, the others."""

from __future__ import annotations

import io
import logging
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overhead_apps import MAKERS, WSGI, django_app, fastapi_app, flask_app, starlette_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EVERYTHING = "ours, everything"
EXPORTER = "Prometheus exporter, metrics"
OTHER = "OpenTelemetry, traces + metrics"
SPAN = "ours, metrics + span"


@dataclass
class Variant:
    """An application as a server would call it, and what ends a round of requests."""

    app: Any
    drain: Callable[[], object] = lambda: None


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


def ours(framework: str, **settings: Any) -> Variant:
    """The application instrumented by us."""
    import wf_instrument

    # In a loop rounds end with a drain; a server drains by itself, as often as by default.
    tick_s = float(os.environ.get("BENCH_TICK_S", "60"))
    made = wf_instrument.instrument(
        MAKERS[framework](), reporter="null://", tick_s=tick_s, **settings
    )
    return Variant(made.app, wf_instrument.flush)


def everything(framework: str) -> Variant:
    """As `ours`, and what is off by default: RED metrics, access line, headers to callers."""
    access = logging.getLogger("wf_instrument.access")
    access.setLevel(logging.INFO)
    access.propagate = False
    written = io.StringIO()
    access.addHandler(logging.StreamHandler(written))
    variant = ours(
        framework,
        spans=True,
        red_metrics=True,
        log_line="text",
        server_timing=True,
        trace_response=True,
    )

    def drain() -> None:
        variant.drain()
        written.seek(0)
        written.truncate()

    return Variant(variant.app, drain)


def opentelemetry(framework: str) -> Variant:
    """Traces and metrics, batch processor and periodic reader, exporters that do nothing."""
    from overhead_opentelemetry import providers

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


def sentry(framework: str) -> Variant:
    """Errors and traces of every request, handed to a transport that drops them."""
    import sentry_sdk
    from sentry_sdk.transport import Transport

    class Nowhere(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            pass

    sentry_sdk.init(
        "http://key@127.0.0.1:9/1", transport=Nowhere, traces_sample_rate=1.0, release="bench"
    )
    app = MAKERS[framework]()
    if framework == "wsgi":
        from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

        app = SentryWsgiMiddleware(app)
    elif framework == "asgi":
        from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

        app = SentryAsgiMiddleware(app)
    return Variant(app, sentry_sdk.flush)


#: Ways of ours, which are measured without the compiled request path too.
OURS: dict[str, Callable[[str], Variant]] = {
    "ours, metrics": lambda framework: ours(framework, spans=False),
    "ours, span": lambda framework: ours(framework, metrics=False, spans=True),
    SPAN: lambda framework: ours(framework, spans=True),
    EVERYTHING: everything,
}
VARIANTS: dict[str, Callable[[str], Variant]] = {
    "bare": lambda framework: Variant(MAKERS[framework]()),
    "floor": floor,
    **OURS,
    EXPORTER: prometheus,
    "Sentry, errors + traces": sentry,
    OTHER: opentelemetry,
}
