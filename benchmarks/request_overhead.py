"""What instrumenting a request costs: bare, floor, ours and OpenTelemetry, in one run.

Usage: python benchmarks/request_overhead.py [--rounds N] [--requests N] [--write]

Every variant is a Flask application of its own, called through WSGI without a server. Rounds are
interleaved, so that a slow phase of the machine meets all variants alike; the table gives the
median of the CPU time per request over the rounds, its spread, and what is added to the bare
application. Needs: pip install -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RESULTS = Path(__file__).with_name("RESULTS.md")
MARK = "<!-- request_overhead -->"


def make_app() -> flask.Flask:
    app = flask.Flask("bench")

    @app.route("/style/<path:id>/make")
    def make_shirts(id: str) -> str:  # noqa: A002 - as in the documentation's example
        return f"Shirts {id} made."

    return app


def environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/style/x-1/make",
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


def bare() -> Any:
    return make_app()


def floor() -> Any:
    """The least any timing costs: the clock reads and one dictionary increment."""
    app = make_app()
    inner = app.wsgi_app
    counts: dict[str, int] = {}

    def timed(env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        time.time_ns()
        begun, cpu = time.perf_counter_ns(), time.thread_time_ns()
        body = inner(env, start_response)
        _ = time.perf_counter_ns() - begun, time.thread_time_ns() - cpu
        counts["n"] = counts.get("n", 0) + 1
        return body

    app.wsgi_app = timed  # type: ignore[method-assign]  # as Flask's docs tell
    return app


def ours(*, spans: bool) -> Any:
    from wf_instrument.integrations.flask import instrument_app

    import wf_instrument

    app = instrument_app(make_app(), reporter="null://", spans=spans, tick_s=60)
    app.extensions["drain"] = wf_instrument.flush
    return app


def opentelemetry() -> Any:
    """Traces and metrics, batch processor and periodic reader, exporters that do nothing."""
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        MetricExporter,
        MetricExportResult,
        PeriodicExportingMetricReader,
    )
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )

    class NoMetrics(MetricExporter):
        def export(self, *_: Any, **__: Any) -> MetricExportResult:
            return MetricExportResult.SUCCESS

        def shutdown(self, *_: Any, **__: Any) -> None:
            return None

        def force_flush(self, *_: Any, **__: Any) -> bool:
            return True

    class NoSpans(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(NoSpans()))
    meters = MeterProvider([PeriodicExportingMetricReader(NoMetrics())])
    app = make_app()
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider, meter_provider=meters)
    app.extensions["drain"] = lambda: (provider.force_flush(), meters.force_flush())
    return app


def serve(app: Any, requests: int) -> float:
    """Return microseconds of CPU per request, all threads of the process included."""

    def start_response(*_: Any) -> Callable[[bytes], None]:
        return lambda data: None

    environs = [environ() for _ in range(requests)]
    gc.collect()
    begun = time.process_time_ns()
    for env in environs:
        body = app(env, start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
    # What a variant does in the background belongs to the round that caused it.
    app.extensions.get("drain", lambda: None)()
    return (time.process_time_ns() - begun) / requests / 1000


VARIANTS: dict[str, Callable[[], Any]] = {
    "bare": bare,
    "floor": floor,
    "ours, metrics": lambda: ours(spans=False),
    "ours, metrics + span": lambda: ours(spans=True),
    "OpenTelemetry, traces + metrics": opentelemetry,
}


def measure(rounds: int, requests: int) -> dict[str, list[float]]:
    apps = {}
    for name, make in VARIANTS.items():
        try:
            apps[name] = make()
        except ImportError as exc:
            print(f"left out: {name} ({exc})", file=sys.stderr)
    for app in apps.values():
        serve(app, 500)
    times: dict[str, list[float]] = {name: [] for name in apps}
    for done in range(rounds):
        for name, app in apps.items():
            times[name].append(serve(app, requests))
        print(f"\rround {done + 1}/{rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times


def table(times: dict[str, list[float]], rounds: int, requests: int) -> str:
    base = statistics.median(times["bare"])
    added = {name: statistics.median(values) - base for name, values in times.items()}
    other = added.get("OpenTelemetry, traces + metrics")
    lines = [
        (
            f"Flask {flask_version()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
            f"{platform.machine()}; {rounds} interleaved rounds of {requests} requests; CPU time "
            "of the whole process, background threads included."
        ),
        "",
        "| variant | µs/request (median) | min | quartiles | added µs | share of OpenTelemetry's |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, values in times.items():
        low, _, high = statistics.quantiles(values, n=4)
        share = f"{added[name] / other:.1%}" if other and name != "bare" else "-"
        lines.append(
            f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} | "
            f"{low:.1f} – {high:.1f} | {added[name]:.1f} | {share} |"
        )
    return "\n".join(lines)


def flask_version() -> str:
    from importlib.metadata import version

    return version("flask")


def write(text: str, command: str) -> None:
    section = f"{MARK}\n## Added per request (Flask)\n\n{text}\n\nMade by `{command}`.\n{MARK}"
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n"
    if MARK in old:
        before, _, rest = old.partition(MARK)
        new = before + section + rest.partition(MARK)[2]
    else:
        new = f"{old}\n{section}\n"
    RESULTS.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="keep the table in RESULTS.md")
    args = parser.parse_args()
    text = table(measure(args.rounds, args.requests), args.rounds, args.requests)
    print(text)
    if args.write:
        write(text, "python benchmarks/request_overhead.py --write")


if __name__ == "__main__":
    main()
