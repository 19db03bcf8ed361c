"""A trace through two services over real HTTP is one tree, whatever headers carry it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import wf_instrument
from asgi_server import fetch, served_asgi
from flask_site import served
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.tracing.span_data import SpanData

SAMPLE = Path(__file__).parents[2] / "sample_apps" / "two_services.py"

#: The ids of one span, and those of its parent.
Edge = tuple[tuple[int, int], "tuple[int, int] | None"]


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


@contextmanager
def services(**settings: object) -> Iterator[int]:
    """Run shop and prices, each calling the other, and yield the port of the shop."""
    sample = run_path(str(SAMPLE), run_name="two_services")
    listener = socket.create_server(("127.0.0.1", 0))
    prices_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with served(sample["make_shop"](prices_url, **settings)) as port:
        prices = sample["make_prices"](f"http://127.0.0.1:{port}", **settings)
        with served_asgi(prices, listener):
            yield port


def ours(span: SpanData) -> Edge:
    (parent,) = span.parents or (None,)
    return (span.trace_id, span.span_id), parent


def theirs(span: ReadableSpan) -> Edge:
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    above = None if parent is None else (parent.trace_id, parent.span_id)
    return (context.trace_id, context.span_id), above


def path_to(edges: list[Edge], leaf: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the spans from the root of a tree to one of its leaves."""
    above = dict(edges)
    way = [leaf]
    while (parent := above[way[0]]) is not None:
        way.insert(0, parent)
    return way


@pytest.mark.slow
@pytest.mark.parametrize("headers", ["w3c", "wavefront", "jaeger", "b3", "b3multi"])
def test_a_trace_through_two_services_is_one_tree(
    reporter: RecordingReporter, headers: str
) -> None:
    reading = headers.removesuffix("multi")
    with services(reporter=reporter, inject=headers, extract=reading) as port:
        assert fetch(port, "/order/shirt")[2] == b"1 shirt: 23.00\n"
    assert wf_instrument.flush(5)
    spans = {span.span_id: span for span in reporter.spans}
    edges = [ours(span) for span in spans.values()]
    (stock,) = [span for span in spans.values() if span.name == "stock"]
    way = [spans[span_id] for _, span_id in path_to(edges, (stock.trace_id, stock.span_id))]
    assert [span.name for span in way] == ["order", "GET", "price", "GET", "stock"]
    assert [dict(span.tags)["service"] for span in way] == [
        "shop", "shop", "prices", "prices", "shop",
    ]  # fmt: skip


class _OtherServer(BaseHTTPRequestHandler):
    """A service that traces with nothing but OpenTelemetry's SDK."""

    provider: TracerProvider

    def do_GET(self) -> None:
        tracer = self.provider.get_tracer("other")
        headers = {name.lower(): value for name, value in self.headers.items()}
        with tracer.start_as_current_span("other.price", context=extract(headers)):
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"9.00")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base class's name
        pass


@contextmanager
def other_server(provider: TracerProvider) -> Iterator[int]:
    handler = type("Handler", (_OtherServer,), {"provider": provider})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_opentelemetry_before_and_after_us_is_in_the_same_tree(
    reporter: RecordingReporter,
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    make_shop = run_path(str(SAMPLE), run_name="two_services")["make_shop"]
    with other_server(provider) as other:
        shop = make_shop(f"http://127.0.0.1:{other}", reporter=reporter)
        with served(shop) as port:
            headers: dict[str, str] = {}
            with provider.get_tracer("client").start_as_current_span("other.client"):
                inject(headers)
                assert fetch(port, "/order/shirt", **headers)[2] == b"1 shirt: 9.00\n"
    assert wf_instrument.flush(5)
    spans = exporter.get_finished_spans()
    names = {
        **{ours(span)[0]: span.name for span in reporter.spans},
        **{theirs(span)[0]: span.name for span in spans},
    }
    edges = [*map(ours, reporter.spans), *map(theirs, spans)]
    (leaf,) = [ids for ids, name in names.items() if name == "other.price"]
    assert [names[ids] for ids in path_to(edges, leaf)] == [
        "other.client", "order", "GET", "other.price",
    ]  # fmt: skip


@pytest.mark.slow
def test_an_asgi_service_of_ours_is_in_opentelemetrys_tree(reporter: RecordingReporter) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with services(reporter=reporter) as port, served_prices(reporter, port) as prices:
        headers: dict[str, str] = {}
        with provider.get_tracer("client").start_as_current_span("other.client"):
            inject(headers)
            fetch(prices, "/price/shirt", **headers)
    assert wf_instrument.flush(5)
    (root,) = exporter.get_finished_spans()
    (price,) = [span for span in reporter.spans if span.name == "price"]
    assert ours(price)[1] == theirs(root)[0]


@contextmanager
def served_prices(reporter: RecordingReporter, shop_port: int) -> Iterator[int]:
    sample = run_path(str(SAMPLE), run_name="two_services")
    prices = sample["make_prices"](f"http://127.0.0.1:{shop_port}", reporter=reporter)
    with served_asgi(prices) as port:
        yield port
