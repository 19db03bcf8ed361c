"""pyformance registries with dimensions, their decorators, and their reporter."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Any

import pytest

from signalfx_service import Reply, SignalFxService
from wf_instrument.backends.signalfx import DimensionedRegistry, SignalFxReporter
from wf_instrument.backends.signalfx import call_decorators as calls
from wf_instrument.backends.signalfx.pyformance_registry import MetricMetadata, RegexRegistry
from wf_instrument.metrics import TaggedRegistry
from wf_instrument.metrics.pyformance_shim import (
    Counter,
    Histogram,
    MetricsRegistry,
    pyformance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXTRAS = ["std_dev", "75_percentile", "95_percentile", "99_percentile", "999_percentile"]
RATES = ["15m_rate", "5m_rate", "1m_rate", "mean_rate"]


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService() as made:
        yield made


@pytest.fixture
def registry() -> Iterator[DimensionedRegistry]:
    """A global registry of its own."""
    before = pyformance.global_registry()
    made = DimensionedRegistry()
    pyformance.set_global_registry(made)
    yield made
    pyformance.set_global_registry(before)


def reported(
    service: SignalFxService, registry: MetricsRegistry | None = None, **options: Any
) -> list[dict[str, Any]]:
    reporter = SignalFxReporter("T", service.url, registry, **options)
    reporter.report_now(timestamp=1500.9)
    reporter.client.stop()
    return service.points()


def test_a_composite_key_is_made_of_the_dimensions_by_name_and_the_metric() -> None:
    metadata = MetricMetadata()
    assert metadata.register("c", z=1, b="2") == "b=2.z=1.c"
    assert metadata.register("g") == "g"
    assert metadata.get_metadata("b=2.z=1.c") == {
        "metric": "c", "dimensions": {"b": "2", "z": "1"},
    }  # fmt: skip
    assert metadata.get_metadata("unknown") == {}
    metadata.clear()
    assert metadata.get_metadata("g") == {}


def test_two_metrics_whose_composite_keys_meet_stay_two() -> None:
    registry = DimensionedRegistry()
    registry.counter("a", x="1").inc()
    registry.counter("x=1.a").inc(5)
    assert registry.counter("a", x="1").get_count() == 1
    assert registry.counter("x=1.a").get_count() == 5
    assert sorted(registry.dump_metrics()) == ["x=1.a", "x=1.a~2"]


def test_metrics_of_all_kinds_are_made_and_found_by_their_dimensions() -> None:
    registry = DimensionedRegistry()
    for make in (registry.counter, registry.histogram, registry.meter, registry.timer):
        assert make("m", a="1") is make("m", a=1)
        assert make("m", a="1") is not make("m", a="2")
    assert registry.gauge("g", lambda: 7, a="1").get_value() == 7
    assert registry.gauge("default", default=3).get_value() == 3
    registry.add("added", Counter(), a="1")
    with pytest.raises(LookupError):
        registry.add("added", Counter(), a="1")
    with pytest.raises(TypeError):
        registry.add("no metric", object())  # type: ignore[arg-type]
    assert "a=1.added" in registry.dump_metrics()
    registry.clear()
    assert registry.dump_metrics() == {}
    assert registry.metadata.get_metadata("a=1.added") == {}


def test_a_pattern_maps_keys_to_their_groups() -> None:
    registry = RegexRegistry(r"^/api/(?P<model>\w+)/\d+/(?P<verb>\w+)?$")
    registry.counter("/api/users/1/edit").inc()
    registry.counter("/api/users/2/edit").inc()
    registry.timer("/api/users/1/", host="a")
    registry.gauge("elsewhere")
    registry.add("/api/users/1/edit", Histogram())
    assert sorted(registry.dump_metrics()) == [
        "", "/api/users/1/edit", "host=a.users", "users/edit",
    ]  # fmt: skip
    assert registry.counter("/api/users/9/edit").get_count() == 2
    assert "" in [RegexRegistry().meter("x") and "", ""]


def test_helpers_and_decorators_use_the_global_registry_of_the_moment(
    registry: DimensionedRegistry,
) -> None:
    @calls.count_calls
    @calls.meter_calls
    @calls.hist_calls
    @calls.time_calls
    def work(value: object) -> object:
        if value == "fail":
            raise KeyError
        return value

    name = f"{work.__qualname__}_calls"
    for value in (2, 4.0, True, "text"):
        assert work(value) == value
    with pytest.raises(KeyError):
        work("fail")
    assert registry.counter(name).get_count() == 5
    assert registry.meter(name).get_count() == 5
    histogram = registry.histogram(name)
    assert (histogram.get_count(), histogram.get_mean()) == (2, 3)
    assert registry.timer(name).get_count() == 5
    other = DimensionedRegistry()
    pyformance.set_global_registry(other)
    work(1)
    assert other.counter(name).get_count() == 1
    calls.counter("c", a=1).inc()
    calls.gauge("g", a=1).set_value(2)
    for make in (calls.histogram, calls.meter, calls.timer):
        make("m", a=1)
    assert calls.dump_metrics()["a=1.g"] == {"value": 2}
    calls.clear()
    assert other.dump_metrics() == {}


@pytest.mark.parametrize(
    ("decorate", "kind"),
    [
        (calls.count_calls_with_dims, "counter"),
        (calls.meter_calls_with_dims, "meter"),
        (calls.hist_calls_with_dims, "histogram"),
        (calls.time_calls_with_dims, "timer"),
    ],
)
def test_decorators_take_dimensions(
    registry: DimensionedRegistry, decorate: Callable[..., Any], kind: str
) -> None:
    @decorate(host="a")
    def work() -> int:
        return 3

    work()
    assert getattr(registry, kind)(f"{work.__qualname__}_calls", host="a").get_count() == 1


def test_of_a_coroutine_function_the_awaited_call_is_timed(registry: DimensionedRegistry) -> None:
    @calls.time_calls
    @calls.hist_calls
    async def work() -> int:
        await asyncio.sleep(0.02)
        return 7

    name = f"{work.__qualname__}_calls"
    assert asyncio.iscoroutinefunction is not None
    assert asyncio.run(work()) == 7
    assert registry.timer(name).get_max() >= 0.015
    assert registry.histogram(name).get_mean() == 7


def test_a_slow_call_is_signalled_where_blinker_is_installed() -> None:
    pytest.importorskip("blinker")
    assert pyformance.call_too_long is not None


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda r: r.histogram("m").add(2), ["avg", "max", "min", *EXTRAS]),
        (lambda r: r.meter("m").mark(), RATES),
        (lambda r: r.timer("m").time().stop(),
         ["avg", "sum", "max", "min", "50_percentile", *RATES, *EXTRAS]),
        (lambda r: r.counter("m").inc(), []),
    ],
    ids=["histogram", "meter", "timer", "counter"],
)  # fmt: skip
def test_a_count_is_a_cumulative_counter_and_everything_else_a_gauge(
    service: SignalFxService, make: Callable[..., Any], parts: list[str]
) -> None:
    registry = DimensionedRegistry()
    make(registry)
    points = reported(service, registry)
    assert {(p["kind"], p["metric"]) for p in points} == {
        ("cumulative_counter", "m"), *(("gauge", f"m.{part}") for part in parts),
    }  # fmt: skip
    assert {p["timestamp"] for p in points} == {1_500_000}


def test_a_gauge_has_its_plain_name_and_unset_ones_are_left_out(service: SignalFxService) -> None:
    registry = DimensionedRegistry()
    registry.gauge("set").set_value(5)
    registry.gauge("unset")
    registry.gauge("infinite").set_value(math.inf)
    registry.gauge("text", lambda: "text")
    assert [(p["kind"], p["metric"], p["value"]) for p in reported(service, registry)] == [
        ("gauge", "set", 5)
    ]


def test_an_empty_histogram_reports_no_extremes(service: SignalFxService) -> None:
    registry = DimensionedRegistry()
    registry.histogram("h")
    registry.timer("t")
    names = {p["metric"] for p in reported(service, registry)}
    assert "h" in names
    assert not names & {"h.min", "h.max", "t.min", "t.max"}


def test_default_dimensions_win_over_those_of_a_metric(service: SignalFxService) -> None:
    registry = DimensionedRegistry()
    registry.counter("c", host="own", a="1").inc()
    default = {"host": "default"}
    (point,) = reported(service, registry, default_dimensions=default)
    assert (point["metric"], point["dimensions"]) == ("c", {"host": "default", "a": "1"})
    assert default == {"host": "default"}
    with pytest.raises(TypeError, match="default_dimensions"):
        SignalFxReporter("T", default_dimensions=["a"])  # type: ignore[arg-type]


def test_a_plain_or_tagged_registry_is_reported_too(service: SignalFxService) -> None:
    plain, tagged = MetricsRegistry(), TaggedRegistry()
    plain.counter("p").inc()
    tagged.counter("t", {"a": "b"}).inc()
    reporter = SignalFxReporter("T", service.url, plain, default_dimensions={"d": "1"})
    reporter.report_now()
    reporter.report_now(tagged)
    reporter.stop()
    assert [(p["metric"], p["dimensions"]) for p in service.points()] == [
        ("p", {"d": "1"}), ("t", {"a": "b", "d": "1"}),
    ]  # fmt: skip


@pytest.mark.expects_caught
def test_a_metric_that_fails_costs_only_itself(service: SignalFxService) -> None:
    registry = DimensionedRegistry()
    registry.gauge("broken", lambda: 1 / 0)
    registry.gauge("sound").set_value(1)
    assert [p["metric"] for p in reported(service, registry)] == ["sound"]


@pytest.mark.slow
def test_the_loop_reports_at_once_then_every_interval_and_at_stop_and_can_start_again(
    service: SignalFxService,
) -> None:
    registry = DimensionedRegistry()
    registry.counter("c").inc()
    reporter = SignalFxReporter("T", service.url, registry, reporting_interval=60)
    for number in (1, 2):
        assert reporter.start()
        assert not reporter.start()
        (thread,) = [
            t for t in threading.enumerate() if t.name == "pyformance reporter SignalFxReporter"
        ]
        assert thread.daemon
        assert service.wait_until(lambda number=number: len(service.points()) >= 2 * number - 1)
        registry.counter("c").inc()
        reporter.stop()
        assert not thread.is_alive()
        assert len(service.points()) == 2 * number
    reporter.stop()
    assert service.values() == [1, 2, 2, 3]


@pytest.mark.slow
def test_the_interval_is_that_of_the_reporter(service: SignalFxService) -> None:
    registry = DimensionedRegistry()
    registry.counter("c")
    reporter = SignalFxReporter("T", service.url, registry, reporting_interval=0.02)
    reporter.start()
    assert service.wait_until(lambda: len(service.points()) >= 5)
    reporter.stop()


def test_a_service_that_refuses_is_told_by_the_client(
    service: SignalFxService, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = lambda _: Reply(410, b"gone")
    registry = DimensionedRegistry()
    registry.counter("c")
    reporter = SignalFxReporter("T", service.url, registry)
    reporter.report_now()
    reporter.stop()
    assert reporter.client.dropped == 1
    assert "gone" in caplog.text
