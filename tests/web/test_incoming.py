"""Whose trace headers are believed, and how many spans they can have kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wf_instrument
from five_sites import FRAMEWORKS, serving
from flask_site import fetch
from wf_instrument.errors import ConfigError
from wf_instrument.settings import load_settings
from wf_instrument.testing import ManualClock, RecordingReporter
from wf_instrument.tracing import RateSampler, WavefrontSpanContext, WavefrontTracer
from wf_instrument.web.incoming import IncomingTrust

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"

every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("always", "always"), (True, "always"), ("Yes", "always"), ("true", "always"),
        ("never", "never"), (False, "never"), ("off", "never"),
        ("sampled-only", "sampled-only"),
        ("10.0.0.0/8 127.0.0.1/32", "10.0.0.0/8 127.0.0.1/32"),
        (["10.1.2.3/8", "::1"], "10.0.0.0/8 ::1/128"),
        ("10.0.0.0/8,::1/128", "10.0.0.0/8 ::1/128"),
    ],
)  # fmt: skip
def test_the_setting_is_a_word_or_networks(given: object, rule: str) -> None:
    assert load_settings({"trust_incoming": given}, {}).trust_incoming == rule


@pytest.mark.parametrize("given", ["maybe", "10.0.0.0/99", "", [], 7, [7]])
def test_anything_else_is_told_at_the_start(given: object) -> None:
    with pytest.raises(ConfigError, match="'always', 'sampled-only', 'never' or networks"):
        load_settings({"trust_incoming": given}, {})


@pytest.mark.parametrize(
    ("rule", "header", "is_continued"),
    [
        ("always", SAMPLED, True),
        ("never", SAMPLED, False),
        ("sampled-only", SAMPLED, True),
        ("sampled-only", UNSAMPLED, False),
        ("127.0.0.0/8", SAMPLED, True),
        ("10.0.0.0/8 192.168.0.0/16", SAMPLED, False),
    ],
)
@every_framework
def test_a_trace_is_continued_for_whom_the_setting_names(
    reporter: RecordingReporter, framework: str, rule: str, header: str, is_continued: bool
) -> None:
    with serving(framework, reporter=reporter, trust_incoming=rule) as port:
        fetch(port, "/item/7", traceparent=header)
    assert wf_instrument.flush(5)
    (span,) = reporter.spans
    assert (f"{span.trace_id:032x}" == TRACE) is is_continued
    assert bool(span.parents) is is_continued


@every_framework
def test_callers_cannot_have_more_spans_kept_than_the_bound(
    reporter: RecordingReporter, framework: str
) -> None:
    with serving(
        framework, reporter=reporter, sample_rate=0, max_forced_spans_per_second=0
    ) as port:
        fetch(port, "/item/7", traceparent=SAMPLED)
    assert wf_instrument.flush(5)
    assert reporter.spans == ()
    assert reporter.count(status=200) == 1


def context(decision: bool | None = True) -> WavefrontSpanContext:
    return WavefrontSpanContext(1, 2, {"a": "b"}, decision, tracestate="x=y")


def decisions(trust: IncomingTrust, n: int, *, rate: float = 0.5) -> list[bool | None]:
    tracer = WavefrontTracer(samplers=[RateSampler(rate)] if rate < 1 else None)
    found = [trust.parent(tracer, lambda tracer, headers: context(), None, None) for _ in range(n)]
    assert all(one is not None and one.baggage == {"a": "b"} for one in found)
    return [one.get_sampling_decision() for one in found if one is not None]


def test_past_the_bound_the_trace_goes_on_and_our_own_sampler_decides() -> None:
    clock = ManualClock()
    trust = IncomingTrust(load_settings({"max_forced_spans_per_second": 2}, {}), clock)
    assert decisions(trust, 3) == [True, True, None]
    clock.advance(1.0)
    assert decisions(trust, 3) == [True, True, None]


def test_without_a_sampler_nobody_needs_to_force_anything() -> None:
    trust = IncomingTrust(load_settings({"max_forced_spans_per_second": 0}, {}))
    assert decisions(trust, 2, rate=1) == [True, True]


@pytest.mark.parametrize(
    ("peer", "is_believed"),
    [
        ("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fe80::1%eth0", True), ("11.1.2.3", False),
        ("/run/app.sock", False), ("testclient", False), ("", False), (None, False),
    ],
)  # fmt: skip
def test_a_peer_is_believed_if_it_is_in_a_network(peer: str | None, is_believed: bool) -> None:
    settings = load_settings(
        {"trust_incoming": "10.0.0.0/8 fe80::/10", "max_forced_spans_per_second": 0}, {}
    )
    tracer = WavefrontTracer(samplers=[RateSampler(0)])
    found = IncomingTrust(settings).parent(tracer, lambda *_: context(), None, peer)
    # Its decision counts without a bound: who names networks has no strangers in them.
    assert found == (context() if is_believed else None)
