"""Service level objectives: good and total counters of routes that have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samples import IDENTITY
from wf_instrument.policies import Policy
from wf_instrument.reporting import Pipeline
from wf_instrument.settings import Settings
from wf_instrument.testing import RecordingReporter
from wf_instrument.web import Recorder

if TYPE_CHECKING:
    from wf_instrument.web.series import Sample

TAGS = (("flask.func", "view"),)


class Stage:
    """A recorder of routes with an objective of 200 ms."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(IDENTITY, 60)
        self.reporter = RecordingReporter()
        self.pipeline.add_reporter("test", self.reporter)
        settings = Settings(policies=(("/a-b", Policy(slo_ms=200)), ("/a_b", Policy(slo_ms=200))))
        self.recorder = Recorder(
            "flask", settings, self.pipeline, None, lambda route: (str(route), "view", None)
        )

    def end(
        self,
        latency_ms: float,
        status: int = 200,
        outcome: Any = None,
        route: str = "/a-b",
        **rest: Any,
    ) -> None:
        handle = self.recorder.handle(route, "GET", rest.get("scheme", "http"), "HTTP/1.1")
        cell = handle.cell(status, outcome, None)
        sample: Sample = (round(latency_ms * 1e6), -1, -1, 0, 0)
        cell.samples.append(sample)
        self.recorder.list_cell(cell)

    def counts(self) -> dict[tuple[str, Any], float]:
        self.pipeline.flush(5)
        return {(p.name, p.tags): p.value for p in self.reporter.snapshot.points}


def good_and_total(good: int, total: int) -> dict[tuple[str, Any], float]:
    prefix = "flask.response.a_b.GET.slo"
    return {(f"{prefix}.good.count", TAGS): good, (f"{prefix}.total.count", TAGS): total}


@pytest.mark.parametrize(
    ("latency_ms", "status", "outcome", "good", "total"),
    [
        pytest.param(200, 200, None, 1, 1, id="exactly-in-time"),
        pytest.param(200.000001, 200, None, 0, 1, id="a-nanosecond-late"),
        pytest.param(1, 404, None, 1, 1, id="error-of-the-client"),
        pytest.param(1, 500, None, 0, 1, id="failed"),
        pytest.param(1, 200, "aborted_stream", 0, 1, id="broken-stream"),
        pytest.param(1, 500, "timeout", 0, 1, id="timeout"),
        pytest.param(1, 499, "client_disconnect", 0, 0, id="client-left"),
    ],
)
def test_a_request_is_good_when_it_is_in_time_and_does_not_fail(
    latency_ms: float, status: int, outcome: Any, good: int, total: int
) -> None:
    stage = Stage()
    stage.end(latency_ms, status, outcome)
    assert stage.counts() == good_and_total(good, total)


def test_the_counters_are_cumulative_and_of_all_handles_of_a_name() -> None:
    stage = Stage()
    stage.end(1)
    stage.end(1, scheme="https")
    assert stage.counts() == good_and_total(2, 2)
    stage.end(300, route="/a_b")
    assert stage.counts() == good_and_total(2, 3)


def test_a_route_without_objective_has_no_counters() -> None:
    stage = Stage()
    stage.end(1, route="/other")
    assert stage.counts() == {}
