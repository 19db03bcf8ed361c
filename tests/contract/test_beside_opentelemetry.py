"""OpenTelemetry beside us: both record what they would alone, and the answers are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

import wf_instrument
from contract_cases import key_of, told
from contract_client import exchange
from contract_ledger import Ledger
from contract_servers import SERVERS
from contract_site import EXCHANGES
from contract_sites.fastapi_corners import FastApiSite
from contract_sites.starlette_corners import StarletteSite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract_site import Site

pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

CORNERS: Final = (
    "template",
    "mounted",
    "nested",
    "not found",
    "method not allowed",
    "raises",
    "handled exception",
    "early answer",
    "stream",
    "stream that raises",
    "sync view",
    "background task",
    "head",
    "forged trace headers",
    "duplicate headers",
)


class Other:
    """What OpenTelemetry records of one application."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider(metric_readers=[self._metrics])
        self.providers: dict[str, Any] = {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
        }

    def told(self) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        """Return spans and counts of durations, without what differs from run to run."""
        spans = [
            (span.name, str(span.kind), lasting(span.attributes), span.parent is not None)
            for span in self._spans.get_finished_spans()
            # Its instrumentor has those of all applications go to the first one's provider.
            if not span.name.startswith("BackgroundTask")
        ]
        data = self._metrics.get_metrics_data()
        counts = [
            (metric.name, lasting(point.attributes), point.count)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
            if metric.name.endswith(".duration")
        ]
        return sorted(spans, key=str), sorted(counts, key=str)


def lasting(attributes: Any) -> list[tuple[str, object]]:
    """Return the attributes without those in which a port is."""
    return sorted(
        (name, value)
        for name, value in (attributes or {}).items()
        if "port" not in name and "127.0.0.1" not in str(value)
    )


def nothing(app: Any, other: Other) -> None:
    """Leave the application as it is."""


def starlette_middleware(app: Any, other: Other) -> None:
    module = pytest.importorskip("starlette.middleware.opentelemetry")
    app.add_middleware(module.OpenTelemetryMiddleware, **other.providers)


def starlette_instrumentor(app: Any, other: Other) -> None:
    module = pytest.importorskip("opentelemetry.instrumentation.starlette")
    module.StarletteInstrumentor.instrument_app(app, **other.providers)


def fastapi_instrumentor(app: Any, other: Other) -> None:
    module = pytest.importorskip("opentelemetry.instrumentation.fastapi")
    module.FastAPIInstrumentor.instrument_app(app, **other.providers)


def starlette(other: Other) -> Site:
    return StarletteSite()


def fastapi(other: Other) -> Site:
    return FastApiSite()


def fastapi_native(other: Other) -> Site:
    pytest.importorskip("fastapi.telemetry")
    return FastApiSite(telemetry=other.providers)


def fastapi_native_off(other: Other) -> Site:
    pytest.importorskip("fastapi.telemetry")
    off = {"tracing": False, "metrics": False, "logs": False}
    return FastApiSite(telemetry={**other.providers, **off})


CASES: Final = [
    pytest.param(make, add, order, id=f"{make.__name__}-{add.__name__}-{order}")
    for make, add, order in (
        (starlette, starlette_middleware, "theirs first"),
        (starlette, starlette_middleware, "ours first"),
        (starlette, starlette_instrumentor, "theirs first"),
        (starlette, starlette_instrumentor, "ours first"),
        (fastapi, fastapi_instrumentor, "theirs first"),
        (fastapi, fastapi_instrumentor, "ours first"),
        (fastapi_native, nothing, "theirs first"),
        (fastapi_native, starlette_middleware, "ours first"),
        (fastapi_native_off, nothing, "theirs first"),
    )
]


@pytest.fixture(autouse=True)
def _shut_down() -> Iterator[None]:
    yield
    wf_instrument.shutdown(5)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "add", "order"), CASES)
def test_neither_records_twice_nor_changes_what_the_other_sees(
    make: Callable[[Other], Site], add: Callable[[Any, Other], None], order: str
) -> None:
    serve = SERVERS["asgi"]["hypercorn"]
    alone, beside = Other(), Other()
    ledger = Ledger()
    alone_app = make(alone).make_app()
    add(alone_app, alone)
    site = make(beside)
    ours = site.make_app()
    if order == "theirs first":
        add(ours, beside)
    site.instrument(ours, reporter=ledger)
    if order == "ours first":
        add(ours, beside)
    with serve(alone_app) as alone_port, serve(ours) as port:
        for corner in CORNERS:
            request = EXCHANGES[corner]
            assert exchange(port, request) == exchange(alone_port, request)
            snapshot = ledger.settle(1, spans=1)
            (row,) = (row for row in snapshot.requests if row.count)
            assert row.count == 1
            assert told(row) == key_of(site.records[corner])
            assert len(snapshot.spans) == 1
    assert beside.told() == alone.told()
    assert bool(alone.told()[0]) is (make is not fastapi_native_off)
