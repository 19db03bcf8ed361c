"""Policies at work in each framework: what a route leaves out, keeps and shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import wf_instrument
from asgi_server import fetch
from view_sites import FRAMEWORKS, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.testing import RecordingReporter

pytestmark = pytest.mark.parametrize("framework", FRAMEWORKS)


def view_with(**policy: Any) -> Callable[[], str]:
    @wf_instrument.observe(**policy)
    def cart() -> str:
        with wf_instrument.span("count"):
            return "ok"

    return cart


def broken() -> str:
    raise ValueError("no shirts")


def names(reporter: RecordingReporter) -> list[str]:
    assert wf_instrument.flush(5)
    return [span.name for span in reporter.spans]


def test_an_excluded_span_leaves_metrics_and_no_children(
    reporter: RecordingReporter, framework: str
) -> None:
    view = view_with(exclude={"spans"})
    with serving(framework, {"/cart": view}, reporter=reporter) as port:
        fetch(port, "/cart")
    assert names(reporter) == []
    reporter.assert_request(1, route="/cart", status=200)


def test_excluded_metrics_leave_spans(reporter: RecordingReporter, framework: str) -> None:
    view = view_with(exclude={"metrics"})
    with serving(framework, {"/cart": view}, reporter=reporter) as port:
        fetch(port, "/cart")
    assert "cart" in names(reporter)
    assert reporter.requests == ()
    assert reporter.snapshot.in_flight == ()


def test_the_settings_override_the_decorator(reporter: RecordingReporter, framework: str) -> None:
    policies = {"GET /cart": {"exclude": []}}
    with serving(
        framework, {"/cart": view_with(exclude={"spans"})}, reporter=reporter, policies=policies
    ) as port:
        fetch(port, "/cart")
    assert "cart" in names(reporter)


def test_a_share_of_none_keeps_failures_alone(reporter: RecordingReporter, framework: str) -> None:
    views = {"/cart": view_with(sample=0.0), "/broken": wf_instrument.observe(sample=0.0)(broken)}
    with serving(framework, views, reporter=reporter) as port:
        fetch(port, "/cart")
        assert fetch(port, "/broken")[0] == 500
    assert names(reporter) == ["broken"]


def test_a_share_above_the_sample_rate_keeps_what_the_sampler_refused(
    reporter: RecordingReporter, framework: str
) -> None:
    views = {"/cart": view_with(sample=1.0)}
    with serving(framework, views, reporter=reporter, sample_rate=0.0) as port:
        fetch(port, "/cart")
    assert names(reporter) == ["cart"]


def test_a_health_route_leaves_a_span_only_when_it_fails(
    reporter: RecordingReporter, framework: str
) -> None:
    views = {"/healthz": view_with(), "/ready": broken}
    with serving(framework, views, reporter=reporter) as port:
        fetch(port, "/healthz")
        fetch(port, "/ready")
        assert fetch(port, "/favicon.ico")[0] == 404
    assert names(reporter) == ["broken"]
    assert reporter.count() == 3


def test_of_sampled_traces_the_first_and_the_failures_are_kept(
    reporter: RecordingReporter, framework: str
) -> None:
    views = {"/cart": view_with(), "/broken": broken}
    with serving(framework, views, reporter=reporter, sample_rate=1e-12) as port:
        for path in ("/cart", "/cart", "/broken", "/broken"):
            fetch(port, path)
    assert sorted(names(reporter)) == ["broken", "broken", "cart"]


def test_an_exemplar_leads_from_the_figures_to_the_trace(
    reporter: RecordingReporter, framework: str
) -> None:
    with serving(framework, {"/cart": view_with()}, reporter=reporter) as port:
        fetch(port, "/cart")
    (server,) = [span for span in spans(reporter) if span.name == "cart"]
    (row,) = reporter.requests
    (exemplar,) = row.exemplars
    assert (exemplar.trace_id, exemplar.span_id) == (server.trace_id, server.span_id)
    assert exemplar.value_s == pytest.approx(row.latency.sum)


def test_quiet_routes_are_a_setting(reporter: RecordingReporter, framework: str) -> None:
    views = {"/healthz": view_with()}
    with serving(framework, views, reporter=reporter, quiet_routes="/nothing") as port:
        fetch(port, "/healthz")
    assert "cart" in names(reporter)


def test_what_the_application_forces_is_kept(reporter: RecordingReporter, framework: str) -> None:
    def cart() -> str:
        span = wf_instrument.get_tracer().active_span
        assert span is not None
        span.set_tag("sampling.priority", 1)
        return "ok"

    policies = {"/cart": {"sample": 0}}
    with serving(framework, {"/cart": cart}, reporter=reporter, policies=policies) as port:
        fetch(port, "/cart")
    assert names(reporter) == ["cart"]


def test_a_trace_of_a_caller_is_not_sampled_again(
    reporter: RecordingReporter, framework: str
) -> None:
    parent = f"00-{7:032x}-{9:016x}-01"
    with serving(framework, {"/cart": view_with(sample=0.0)}, reporter=reporter) as port:
        fetch(port, "/cart", traceparent=parent)
    assert set(names(reporter)) == {"cart", "count"}


def test_excluded_log_lines_leave_metrics_and_spans(
    reporter: RecordingReporter, framework: str, caplog: pytest.LogCaptureFixture
) -> None:
    views = {"/cart": view_with(exclude={"logs"}), "/broken": broken}
    with (
        caplog.at_level("INFO", logger="wf_instrument.access"),
        serving(framework, views, reporter=reporter, log_line="text") as port,
    ):
        fetch(port, "/cart")
        fetch(port, "/broken")
    assert sorted(names(reporter)) == ["broken", "cart", "count"]
    reporter.assert_request(1, route="/cart", status=200)
    lines = [one for one in caplog.records if one.name == "wf_instrument.access"]
    assert [vars(one)["wf"]["route"] for one in lines] == ["/broken"]


def spans(reporter: RecordingReporter) -> Any:
    assert wf_instrument.flush(5)
    return reporter.spans
