"""Registries of pyformance as tagged measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from librato_service import TOKEN, USER, LibratoService
from wf_instrument.backends.librato import LibratoReporter
from wf_instrument.metrics import TaggedRegistry, delta_counter, wavefront_histogram

if TYPE_CHECKING:
    from collections.abc import Callable


class _Clock:
    """Stands still."""

    def time(self) -> float:
        return 1_700_000_050.5


@pytest.fixture
def registry() -> TaggedRegistry:
    return TaggedRegistry()


@pytest.fixture
def make(service: LibratoService, registry: TaggedRegistry) -> Callable[..., LibratoReporter]:
    def made(**options: Any) -> LibratoReporter:
        endpoint = f"http://{service.hostname}/v1/"
        return LibratoReporter(
            USER, TOKEN, registry, endpoint=endpoint, flush_interval_s=60, **options
        )

    return made


def test_every_kind_of_metric_is_reported(
    service: LibratoService, registry: TaggedRegistry, make: Callable[..., LibratoReporter]
) -> None:
    registry.counter("c", {"shop": "North"}).inc(2)
    registry.gauge("g").set_value(0.5)
    registry.histogram("h").add(4)
    delta_counter(registry, "d").inc(3)
    wavefront_histogram(registry, "w").add(7)
    make(prefix="own.", tags={"env": "prod", "unset": None}).stop()
    found = {one["name"]: one for one in service.measurements}
    assert found["own.c.count"]["tags"] == {"env": "prod", "shop": "north"}
    assert (found["own.g.value"]["value"], found["own.d.count"]["value"]) == (0.5, 3)
    assert found["own.h.95_percentile"]["value"] == 4
    assert (found["own.w"]["count"], found["own.w"]["sum"]) == (1, 7)
    assert service.refusals == []


def test_times_stand_at_multiples_of_the_interval_and_never_twice(
    service: LibratoService, registry: TaggedRegistry, make: Callable[..., LibratoReporter]
) -> None:
    reporter = make(clock=_Clock())
    registry.gauge("g").set_value(1)
    reporter.report_now()
    reporter.report_now()
    reporter.report_now(timestamp=1_600_000_001)
    reporter.stop()
    times = [one["time"] for one in service.measurements]
    assert times == [1_700_000_040, 1_700_000_041, 1_600_000_001, 1_700_000_042]


def test_another_registry_is_reported_when_given(
    service: LibratoService, make: Callable[..., LibratoReporter]
) -> None:
    other = TaggedRegistry()
    delta_counter(other, "d").inc(2)
    reporter = make()
    reporter.report_now(registry=other)
    reporter.stop()
    assert [(one["name"], one["value"]) for one in service.measurements] == [("d.count", 2)]


@pytest.mark.slow
def test_the_loop_reports_by_itself(
    service: LibratoService, registry: TaggedRegistry, make: Callable[..., LibratoReporter]
) -> None:
    registry.gauge("g").set_value(1)
    reporter = make(reporting_interval=0.05)
    reporter.start()
    reporter.sender.flush(5)
    reporter.stop()
    assert service.measurements
