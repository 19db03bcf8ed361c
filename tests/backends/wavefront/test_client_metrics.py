"""What a client tells about itself, once a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
import pytest
from wf_instrument.integrations.flask import FlaskTracing

import wf_instrument
from loopback import Answer, LoopbackReceiver
from wf_instrument._version import __version__
from wf_instrument.backends.wavefront import (
    CspApiToken,
    CspOAuthApp,
    CspTokenSource,
    WavefrontClient,
    WavefrontProxyReporter,
    WavefrontSpanReporter,
)
from wf_instrument.backends.wavefront.client_metrics import ClientMetrics, auth_type_of
from wf_instrument.identity import ApplicationTags
from wf_instrument.metrics.pyformance_shim import MetricsRegistry
from wf_instrument.testing import ManualClock
from wf_instrument.tracing import CompositeReporter, ConstantSampler, WavefrontTracer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.sender.transport import TokenSource

KINDS = ("points", "histograms", "spans", "span_logs", "events")


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def values(receiver: LoopbackReceiver) -> dict[str, float]:
    """Return what arrived of the client's own metrics, by the rest of their names."""
    lead = "~sdk.python.core.sender.proxy."
    found = {}
    for line in receiver.lines():
        name, value, *rest = line.rstrip().split(" ")
        if lead in name:
            assert f'"version"="v{__version__}"' in rest
            assert '"authType"="proxy"' in rest
            found[name.strip('"').replace(lead, "")] = float(value)
    return found


def test_sizes_are_gauges_and_counts_are_deltas_told_once(receiver: LoopbackReceiver) -> None:
    client = WavefrontClient(receiver.url, enable_internal_metrics=False, max_queue_size=100)
    clock = ManualClock()
    metrics = ClientMetrics(client, "proxy", clock)
    for number in range(3):
        client.send_metric("m", number, None, "s", None)
    with pytest.raises(ValueError, match="blank"):
        client.send_metric("", 1, None, "s", None)
    clock.advance(59.9)
    metrics.on_round()
    assert client.sender.waiting("points") == 3  # not yet
    clock.advance(0.1)
    metrics.on_round()
    assert client.sender.flush(10)
    told = values(receiver)
    gauges = {f"{kind}.queue.{what}" for kind in KINDS for what in ("size", "remaining_capacity")}
    assert set(told) == gauges | {"∆points.valid.count", "∆points.invalid.count"}
    assert told["points.queue.size"] == 3
    assert told["spans.queue.remaining_capacity"] == 100
    assert (told["∆points.valid.count"] >= 3, told["∆points.invalid.count"]) == (True, 1)
    receiver.received.clear()
    receiver.answer = lambda _: Answer(503)
    client.send_metric("m", 1, None, "s", None)
    client.sender.flush(5)
    receiver.answer = lambda _: Answer()
    clock.advance(60)
    metrics.on_round()
    assert client.sender.flush(10)
    told = values(receiver)
    assert told["∆points.report.errors.count"] == told["∆points.report.503.count"] >= 1
    assert "∆points.invalid.count" not in told
    client.close()


def test_the_other_parts_report_through_the_client(receiver: LoopbackReceiver) -> None:
    clock = ManualClock()
    reporter = WavefrontProxyReporter("127.0.0.1", receiver.port, registry=MetricsRegistry())
    client = reporter.wavefront_client
    spans = WavefrontSpanReporter(client, max_queue_size=10)
    FlaskTracing(reporter=reporter, app=flask.Flask("site"))
    metrics = client._metrics  # noqa: SLF001 - an hour-glass of a minute is turned by hand
    assert metrics is not None
    metrics._clock = clock  # noqa: SLF001 - as above
    WavefrontTracer(spans, ApplicationTags("a", "s")).start_span("op").finish()
    dropping = WavefrontTracer(CompositeReporter(spans), samplers=[ConstantSampler(False)])
    dropping.start_span("op").finish()
    clock.advance(1e9)
    metrics.on_round()
    client.flush_now()
    names = {line.split('"')[1] for line in receiver.lines() if "~sdk" in line}
    assert {name for name in names if ".core." not in name} == {
        "~sdk.python.flask.version",
        "~sdk.python.pyformance.sender.proxy.version",
        "~sdk.python.opentracing.version",
        "~sdk.python.opentracing.reporter.queue.size",
        "~sdk.python.opentracing.reporter.queue.remaining_capacity",
        "∆~sdk.python.opentracing.reporter.spans.received.count",
        "∆~sdk.python.opentracing.spans.discarded.count",
    }
    spans.close()
    reporter.stop()
    wf_instrument.shutdown(5)


def test_a_client_reports_by_itself_only_when_it_should(receiver: LoopbackReceiver) -> None:
    for is_enabled in (True, False):
        client = WavefrontClient(receiver.url, enable_internal_metrics=is_enabled)
        client.send_metric("m", 1, None, "s", None)
        client.close()
    assert values(receiver) == {}  # the first report is due after a minute


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (None, "proxy"), ("", "proxy"), ("t", "wavefront_api_token"),
        (CspTokenSource(CspApiToken("t")), "csp_api_token"),
        (CspTokenSource(CspOAuthApp("a", "s")), "csp_oauth"),
    ],
)  # fmt: skip
def test_the_kind_of_authentication_is_told(token: str | TokenSource | None, kind: str) -> None:
    assert auth_type_of(token) == kind
