"""Which spans are kept when traces are sampled, and which of them stand beside the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.settings import Settings
from wf_instrument.telemetry import Telemetry
from wf_instrument.testing import RecordingReporter
from wf_instrument.tracing import RateSampler, WavefrontSpanContext
from wf_instrument.web.late_decision import NEVER_SLOW_NS, RecentLatency
from wf_instrument.web.request import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Keeps nothing, and is a share all the same.
NEARLY_NONE = 1e-12


class Request(RequestRecord):
    """A request whose route is told when it ends."""

    def __init__(self, stage: Stage, route: str | None, parent: Any = None) -> None:
        self._route = route
        self.begin(stage.recorder, "GET")
        tracer = self.recorder.tracer
        assert tracer is not None
        self.span = tracer.start_request_span("GET", parent, self.started_ns, self)

    def resolve_handle(self) -> Any:
        return self.recorder.handle(self._route, "GET", "http", "HTTP/1.1")

    def end(self, latency_ms: float = 1, status: int = 200) -> None:
        self.started_mono_ns -= round(latency_ms * 1e6)
        self.status = status
        self.finish()


class Stage:
    """A recorder with a tracer, and what it reports."""

    def __init__(self, **settings: Any) -> None:
        self.reporter = RecordingReporter()
        settings.setdefault("sample_rate", NEARLY_NONE)
        self.telemetry = Telemetry(
            Settings(tick_s=60, **settings), reporters=[("test", self.reporter)]
        )
        self.recorder = self.telemetry.recorder("wsgi", lambda route: (str(route), None, None))

    def request(self, route: str | None = "/cart", parent: Any = None) -> Request:
        return Request(self, route, parent)

    def warm(self, route: str | None = "/cart", latencies_ms: int = 100) -> None:
        """Have the route known: its requests took 1 to so many milliseconds."""
        for latency_ms in range(1, latencies_ms + 1):
            self.request(route).end(latency_ms)
        self.telemetry.flush(5)

    def kept(self) -> int:
        self.telemetry.flush(5)
        return len(self.reporter.spans)


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.telemetry.shutdown(5)


def test_the_first_request_of_each_route_is_kept(stage: Stage) -> None:
    for _ in range(10):
        stage.request("/a").end()
        stage.request("/b").end()
    assert stage.kept() == 2


def test_requests_slower_than_the_routes_own_p95_are_kept(stage: Stage) -> None:
    stage.warm()
    before = stage.kept()
    stage.request().end(90)
    assert stage.kept() == before
    stage.request().end(110)
    assert stage.kept() == before + 1


def test_what_is_slow_is_each_routes_own_affair(stage: Stage) -> None:
    stage.warm("/fast", 40)
    stage.warm("/slow", 400)
    before = stage.kept()
    stage.request("/slow").end(100)
    assert stage.kept() == before
    stage.request("/fast").end(100)
    assert stage.kept() == before + 1


def test_a_route_of_few_requests_has_no_slow_ones_yet(stage: Stage) -> None:
    stage.warm(latencies_ms=10)
    before = stage.kept()
    stage.request().end(1000)
    assert stage.kept() == before


@pytest.mark.parametrize("status", [500, 503])
def test_failures_are_kept_always(stage: Stage, status: int) -> None:
    stage.warm()
    before = stage.kept()
    stage.request().end(1, status)
    assert stage.kept() == before + 1


def test_every_request_is_counted_whether_its_span_is_kept_or_not(stage: Stage) -> None:
    stage.warm()
    assert stage.kept() < 20
    stage.reporter.assert_request(100, route="/cart")


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_without_sampling_nothing_is_decided_anew(rate: float) -> None:
    stage = Stage(sample_rate=rate)
    stage.warm()
    stage.request().end(1000)
    assert stage.kept() == 101 * rate


def test_what_a_caller_left_out_stays_out_though_it_is_slow(stage: Stage) -> None:
    stage.warm()
    before = stage.kept()
    parent = WavefrontSpanContext(7, 9, None, False)
    stage.request(parent=parent).end(1000)
    assert stage.kept() == before


def test_what_the_application_left_out_stays_out_though_it_is_slow(stage: Stage) -> None:
    stage.warm()
    before = stage.kept()
    request = stage.request()
    assert request.span is not None
    request.span.set_tag("sampling.priority", 0)
    request.end(1000)
    assert stage.kept() == before


def test_the_share_of_a_route_is_that_of_a_sampler_of_its_rate() -> None:
    stage = Stage(sample_rate=0.0, policies={"/cart": {"sample": 0.5}})
    requests = [stage.request() for _ in range(200)]
    spans = [request.span for request in requests if request.span is not None]
    for request in requests:
        request.end()
    expected = {s.trace_id_int for s in spans if RateSampler(0.5).sample("", s.trace_id_int, 0)}
    stage.telemetry.flush(5)
    kept = {span.trace_id for span in stage.reporter.spans}
    assert kept - {spans[0].trace_id_int} == expected - {spans[0].trace_id_int}
    assert 60 < len(kept) < 140


@pytest.mark.parametrize("policies", [{}, {"/cart": {"sample": 0.5}}, {"/cart": {"sample": 1}}])
def test_red_metrics_are_of_all_spans(policies: Any) -> None:
    stage = Stage(sample_rate=0.5, policies=policies, red_metrics=True)
    stage.warm()
    stage.telemetry.flush(5)
    invocations = [
        p.value for p in stage.reporter.snapshot.points if p.name.endswith(".invocation.count")
    ]
    assert invocations == [100]


def test_the_bound_follows_a_route_that_becomes_slower() -> None:
    recent = RecentLatency()
    assert recent.slow_ns() == NEVER_SLOW_NS
    for seconds in (0.01, 0.5):
        for _ in range(3):
            histogram = ExponentialHistogram()
            histogram.add_many([seconds] * 1000)
            recent.add(histogram)
        assert recent.slow_ns() == pytest.approx(seconds * 1e9, rel=0.03)


@pytest.mark.expects_caught
def test_a_view_that_cannot_be_asked_for_its_policy_is_recorded_without(stage: Stage) -> None:
    class Hostile:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    stage.recorder = stage.telemetry.recorder(
        "wsgi", lambda route: (str(route), None, None), lambda route: Hostile()
    )
    stage.request().end()
    assert stage.kept() == 1
    stage.reporter.assert_request(1, route="/cart")


def test_an_exemplar_is_the_latest_kept_span_of_each_octave() -> None:
    stage = Stage(sample_rate=1.0)
    spans = []
    for latency_ms in (10, 11, 300):
        request = stage.request()
        spans.append(request.span)
        request.end(latency_ms)
    stage.telemetry.flush(5)
    (row,) = stage.reporter.requests
    _, second, third = spans
    assert second is not None
    assert third is not None
    assert [(one.trace_id, one.span_id) for one in row.exemplars] == [
        (second.trace_id_int, second.span_id_int),
        (third.trace_id_int, third.span_id_int),
    ]
    assert [one.value_s for one in row.exemplars] == pytest.approx([0.011, 0.3], rel=0.1)
    assert row.exemplars[1].time_ns == third.start_ns + third.duration_ns


def test_an_exemplar_is_a_span_that_was_kept(stage: Stage) -> None:
    stage.request().end(1)
    stage.request().end(100)
    stage.telemetry.flush(5)
    (row,) = stage.reporter.requests
    assert [one.span_id for one in row.exemplars] == [s.span_id for s in stage.reporter.spans]
    assert len(row.exemplars) == 1


def test_exemplars_are_reported_once() -> None:
    stage = Stage(sample_rate=1.0)
    stage.request().end(1)
    stage.telemetry.flush(5)
    (cell,) = stage.request().resolve_handle().cells.values()
    assert cell.exemplars == {}
