"""A Flask request, seen by a Wavefront proxy: exactly the series and the span of the contract."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from wf_instrument.integrations.flask import FlaskTracing, instrument_app

import wf_instrument
from flask_site import empty_site
from loopback import LoopbackReceiver
from wf_instrument import ApplicationTags
from wf_instrument.backends.wavefront import (
    WavefrontDirectReporter,
    WavefrontProxyReporter,
    WavefrontSpanReporter,
)
from wf_instrument.tracing import WavefrontTracer

if TYPE_CHECKING:
    import flask

TAGS = ApplicationTags(
    application="Ordering",
    service="styling",
    cluster="us-west-1",
    shard="primary",
    custom_tags=[("location", "Oregon"), ("env", "Staging")],
)
FULL = {
    "application": "Ordering",
    "service": "styling",
    "cluster": "us-west-1",
    "shard": "primary",
    "location": "Oregon",
    "env": "Staging",
}
FUNC = {"flask.func": "make_shirts"}
R = "flask.response.style.path-id.make"
PER_LEVEL = {
    "shard": FULL,
    "service": {k: v for k, v in FULL.items() if k != "shard"},
    "cluster": {k: v for k, v in FULL.items() if k not in {"shard", "service"}},
    "application": {k: v for k, v in FULL.items() if k not in {"shard", "service", "cluster"}},
}

#: Name, source and tags of every series one request makes.
EXPECTED_POINTS = [
    ("flask.request.style.path-id.make.GET.inflight.value", "host-1", {**FULL, **FUNC}),
    ("flask.total_requests.inflight.value", "host-1", FULL),
    (f"{R}.GET.200.cumulative.count", "host-1", {**FULL, **FUNC}),
    (f"{R}.summary.GET.200.total_time.count", "host-1", {**FULL, **FUNC}),
    (f"{R}.GET.errors.count", "host-1", {**FULL, **FUNC}),
    ("flask.response.completed.aggregated_per_source.count", "host-1", FULL),
    ("flask.response.errors.aggregated_per_source.count", "host-1", FULL),
    *(
        (f"∆{R}.GET.200.aggregated_per_{level}.count", "wavefront-provided", {**tags, **FUNC})
        for level, tags in PER_LEVEL.items()
    ),
    *(
        (f"∆flask.response.completed.aggregated_per_{level}.count", "wavefront-provided", tags)
        for level, tags in PER_LEVEL.items()
    ),
]
EXPECTED_HISTOGRAMS = [
    (f"{R}.summary.GET.200.latency", "host-1", {**FULL, **FUNC}),
    (f"{R}.summary.GET.200.cpu_ns", "host-1", {**FULL, **FUNC}),
    (f"{R}.summary.GET.200.ttfb", "host-1", {**FULL, **FUNC}),
    (f"{R}.GET.200.body_bytes", "host-1", {**FULL, **FUNC}),
    ("flask.request.style.path-id.make.GET.body_bytes", "host-1", {**FULL, **FUNC}),
]


def parsed(line: str) -> tuple[str, str, dict[str, str]]:
    """Return name, source and tags of a metric, histogram or span line."""
    name = re.search(r'"([^"]*)" ?(?:[-\d.e+]* ?\d*)? ?source=', line)
    assert name is not None, line
    pairs = re.findall(r'"([^"]+)"="((?:[^"\\]|\\.)*)"', line)
    source = re.search(r'source="([^"]*)"', line)
    assert source is not None, line
    return name[1], source[1], dict(pairs)


def is_of_tracer(line: str) -> bool:
    """Whether a line is of the tracer's own: RED metrics and heartbeats, tested elsewhere."""
    return "tracing.derived." in line or '"~component.heartbeat"' in line


def in_order(rows: list[tuple[str, str, dict[str, str]]]) -> list[tuple[str, str, str]]:
    return sorted((name, source, str(sorted(tags.items()))) for name, source, tags in rows)


def readme_app() -> flask.Flask:
    app = empty_site("readme")

    @app.route("/style/<path:id>/make")
    def make_shirts(id: str) -> str:  # noqa: A002 - as in the README
        return f"Shirts {id} made."

    return app


@pytest.fixture(params=["url", "proxy reporter", "direct reporter"])
def app(request: pytest.FixtureRequest, proxy: LoopbackReceiver) -> flask.Flask:
    made = readme_app()
    if request.param == "url":
        return instrument_app(
            made,
            application_tags=TAGS,
            source="host-1",
            reporter=f"wavefront://127.0.0.1:{proxy.port}",
        )
    if request.param == "proxy reporter":
        reporter = WavefrontProxyReporter("127.0.0.1", proxy.port, source="host-1")
    else:
        reporter = WavefrontDirectReporter(proxy.url, "the-token", source="host-1")
    reporter.report_minute_distribution()
    span_reporter = WavefrontSpanReporter(reporter.wavefront_client, source="host-1")
    tracer = WavefrontTracer(span_reporter, TAGS)
    FlaskTracing(tracer=tracer, reporter=reporter, application_tags=TAGS, app=made)
    made.extensions["test.tracer"] = tracer
    return made


@pytest.fixture
def proxy() -> object:
    with LoopbackReceiver() as receiver:
        yield receiver
        wf_instrument.shutdown(5)


def test_one_request_makes_exactly_the_series_and_the_span_of_the_contract(
    app: flask.Flask, proxy: LoopbackReceiver
) -> None:
    answer = app.test_client().get("/style/x-1/make", headers={"Host": "shop.example"})
    assert answer.status_code == 200
    tracer = app.extensions.get("test.tracer")
    if tracer is not None:
        tracer.close()
    assert wf_instrument.flush(10)
    points = [parsed(line) for line in proxy.lines("f=wavefront") if not is_of_tracer(line)]
    assert in_order(points) == in_order(EXPECTED_POINTS)
    histograms = [line for line in proxy.lines("f=histogram") if not is_of_tracer(line)]
    assert in_order([parsed(line) for line in histograms]) == in_order(EXPECTED_HISTOGRAMS)
    assert all(re.match(r"!M \d{10} #1 [\d.e+-]+ ", line) for line in histograms)
    (span,) = proxy.lines("f=trace")
    name, source, tags = parsed(re.sub(r" traceId=\S+ spanId=\S+", "", span))
    assert (name, source) == ("make_shirts", "host-1")
    assert tags == {
        **FULL,
        **FUNC,
        "component": "flask",
        "span.kind": "server",
        "http.method": "GET",
        "http.url": "http://shop.example/style/x-1/make",
        "http.status_code": "200",
        "http.route": "/style/<path:id>/make",
    }
    assert re.search(r" traceId=[0-9a-f-]{36} spanId=00000000-0000-0000-[0-9a-f-]{17} ", span)
    assert re.search(r" \d{13} \d+\n$", span)


def test_an_error_counts_in_the_error_series_and_sends_a_span_log(
    proxy: LoopbackReceiver,
) -> None:
    app = readme_app()

    @app.route("/boom")
    def boom() -> str:
        raise ValueError("no shirts")

    url = f"wavefront://127.0.0.1:{proxy.port}"
    instrument_app(app, application_tags=TAGS, source="host-1", reporter=url)
    app.test_client().get("/boom")
    app.test_client().get("/boom")
    wf_instrument.flush(10)
    values = {
        line.split('"')[1]: float(line.split('" ')[1].split()[0])
        for line in proxy.lines("f=wavefront")
    }
    assert values["flask.response.boom.GET.500.cumulative.count"] == 2
    assert values["flask.response.boom.GET.errors.count"] == 2
    assert values["∆flask.response.errors.aggregated_per_shard.count"] == 2
    assert values["flask.response.errors.aggregated_per_source.count"] == 2
    logs = proxy.lines("f=spanLogs")
    assert len(logs) == 2
    assert '"error.kind": "ValueError"' in logs[0]
    assert all('"error"="true"' in line for line in proxy.lines("f=trace"))


def test_cumulative_counters_go_on_while_deltas_start_again(proxy: LoopbackReceiver) -> None:
    app = readme_app()
    url = f"wavefront://127.0.0.1:{proxy.port}"
    instrument_app(app, application_tags=TAGS, source="host-1", reporter=url)
    for _ in range(2):
        app.test_client().get("/style/a/make")
        wf_instrument.flush(10)
    counts = [
        line.split()[1] for line in proxy.lines("f=wavefront") if "200.cumulative.count" in line
    ]
    deltas = [
        line.split()[1]
        for line in proxy.lines("f=wavefront")
        if "GET.200.aggregated_per_shard" in line
    ]
    assert (counts, deltas) == (["1.0", "2.0"], ["1.0", "1.0"])


def test_routes_whose_names_meet_are_added_up(proxy: LoopbackReceiver) -> None:
    app = empty_site("meeting")
    for number, rule in enumerate(("/a-b", "/a_b")):
        app.add_url_rule(rule, "same" if not number else "same2", lambda: "ok")
    tags = ApplicationTags("Ordering", "styling")
    url = f"wavefront://127.0.0.1:{proxy.port}"
    instrument_app(app, application_tags=tags, source="host-1", reporter=url)
    app.test_client().get("/a-b")
    app.test_client().get("/a_b")
    wf_instrument.flush(10)
    lines = proxy.lines("f=wavefront")
    per_source = [line for line in lines if "completed.aggregated_per_source" in line]
    assert len(per_source) == 1
    assert per_source[0].split()[1] == "2.0"
    # Unset cluster and shard: `none` where carried, nothing aggregated per them.
    assert '"cluster"="none"' in per_source[0]
    assert not [line for line in lines if "per_shard" in line or "per_cluster" in line]
