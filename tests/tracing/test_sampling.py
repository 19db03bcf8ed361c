from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid

import pytest

from wf_instrument.errors import ConfigError
from wf_instrument.tracing import (
    CompositeSampler,
    ConstantSampler,
    DurationSampler,
    InMemoryReporter,
    RateSampler,
    WavefrontSpanContext,
    WavefrontTracer,
)
from wf_instrument.tracing.ids import new_trace_id

NO = ConstantSampler(False)
YES = ConstantSampler(True)


class _Raising:
    def __init__(self, early: bool) -> None:
        self._early = early

    def sample(self, operation_name: str, trace_id: int, duration: float) -> bool:
        raise RuntimeError("broken")

    def is_early(self) -> bool:
        return self._early


def _spans_kept(samplers: list[object], **span: object) -> int:
    kept = InMemoryReporter()
    tracer = WavefrontTracer(kept, samplers=samplers)  # type: ignore[arg-type]  # fakes too
    tags = span.pop("tags", {})
    started = tracer.start_request_span("op", span.pop("parent", None), 1, None)  # type: ignore[arg-type]  # as given
    for key, value in tags.items():  # type: ignore[attr-defined]  # a dict
        started.set_tag(key, value)
    started.finish_after(int(span.pop("ms", 1) * 1e6))  # type: ignore[operator]  # a number
    return len(kept.spans)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(new_trace_id, id="ours"),
        pytest.param(lambda: uuid.uuid4().int, id="uuid4"),
        pytest.param(lambda: uuid.uuid1().int, id="uuid1"),
        pytest.param(lambda: random.getrandbits(64), id="64-bit"),
    ],
)
def test_quarter_of_any_kind_of_trace_ids_is_kept(make: object) -> None:
    sampler = RateSampler(0.25)
    kept = sum(sampler.sample("op", make(), 0) for _ in range(100_000))  # type: ignore[operator]  # a callable
    # Five standard deviations of a binomial distribution: 5 * sqrt(1e5 * 0.25 * 0.75).
    assert abs(kept - 25_000) < 685


@pytest.mark.parametrize(("rate", "kept"), [(0.0, 0), (0, 0), (1.0, 1000), (1, 1000)])
def test_rates_of_none_and_all_are_exact(rate: float, kept: int) -> None:
    sampler = RateSampler(rate)
    ids = [new_trace_id() for _ in range(998)] + [1, (1 << 128) - 1]
    assert sum(sampler.sample("op", trace_id, 0) for trace_id in ids) == kept


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError):
        RateSampler(rate)


@pytest.mark.slow
def test_rate_decides_alike_in_another_process() -> None:
    ids = [new_trace_id() for _ in range(500)]
    program = (
        "import json, sys; from wf_instrument.tracing import RateSampler\n"
        "sampler, ids = RateSampler(0.25), json.load(sys.stdin)\n"
        "print(json.dumps([sampler.sample('x', i, 0) for i in ids]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(ids),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        timeout=60,
    )
    sampler = RateSampler(0.25)
    assert json.loads(done.stdout) == [sampler.sample("op", i, 0) for i in ids]


def test_larger_share_keeps_what_a_smaller_one_keeps() -> None:
    small, large = RateSampler(0.1), RateSampler(0.5)
    ids = [new_trace_id() for _ in range(2000)]
    assert all(large.sample("", i, 0) for i in ids if small.sample("", i, 0))


@pytest.mark.parametrize(
    ("samplers", "ms", "kept"),
    [
        pytest.param([], 1, 1, id="none-given-keeps-all"),
        pytest.param([NO], 1, 0, id="early-no"),
        pytest.param([NO, YES], 1, 1, id="any-early-yes"),
        pytest.param([DurationSampler(100)], 99, 0, id="late-short"),
        pytest.param([DurationSampler(100)], 101, 1, id="late-long-in-milliseconds"),
        pytest.param([NO, DurationSampler(100)], 101, 1, id="late-after-early-no"),
        pytest.param([YES, DurationSampler(100)], 1, 1, id="early-yes-needs-no-late"),
        pytest.param([CompositeSampler([NO, DurationSampler(100)])], 101, 1, id="composite-any"),
        pytest.param([CompositeSampler([NO, DurationSampler(100)])], 99, 0, id="composite-none"),
    ],
)
def test_samplers_decide_early_or_late(samplers: list[object], ms: int, kept: int) -> None:
    assert _spans_kept(samplers, ms=ms) == kept


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ({"sampling.priority": 1}, 1),
        ({"sampling.priority": "2"}, 1),
        ({"debug": "true"}, 1),
        ({"debug": True}, 1),
        ({"debug": False}, 0),
        ({"error": True}, 1),
        ({"error": "true"}, 1),
        ({"error": False}, 0),
        ({"sampling.priority": object()}, 0),
    ],
)
def test_tags_force_an_unsampled_span(tags: dict[str, object], kept: int) -> None:
    assert _spans_kept([NO], tags=tags) == kept


def test_priority_of_zero_drops_a_sampled_span() -> None:
    assert _spans_kept([YES], tags={"sampling.priority": 0}) == 0


@pytest.mark.parametrize("decision", [True, False])
def test_decision_of_the_parent_is_inherited(decision: bool) -> None:
    parent = WavefrontSpanContext(1, 2, None, decision)
    assert _spans_kept([ConstantSampler(not decision)], parent=parent) == int(decision)


def test_parent_without_a_decision_leaves_it_to_the_samplers() -> None:
    assert _spans_kept([NO], parent=WavefrontSpanContext(1, 2)) == 0


def test_children_of_an_unsampled_span_are_unsampled() -> None:
    kept = InMemoryReporter()
    tracer = WavefrontTracer(kept, samplers=[NO])
    with tracer.start_active_span("outer") as outer, tracer.start_active_span("inner") as inner:
        assert (outer.span.is_sampled, inner.span.is_sampled) == (False, False)
    assert kept.spans == []


def test_decision_travels_even_without_samplers() -> None:
    carrier: dict[str, str] = {}
    tracer = WavefrontTracer()
    tracer.inject(tracer.start_span("op"), "http_headers", carrier)
    assert carrier["wf-ot-sample"] == "True"


@pytest.mark.expects_caught
@pytest.mark.parametrize("early", [True, False])
def test_sampler_that_raises_keeps_the_span(early: bool) -> None:
    assert _spans_kept([_Raising(early)]) == 1


def test_samplers_can_be_told_otherwise_while_they_run() -> None:
    constant, rate, duration = ConstantSampler(True), RateSampler(1.0), DurationSampler(10)
    constant.set_decision(False)
    rate.set_sampling_rate(0.0)
    duration.set_duration(50)
    assert not constant.sample("op", 1, 0)
    assert not rate.sample("op", 1, 0)
    assert [duration.sample("op", 1, millis) for millis in (50, 50.1)] == [False, True]
    with pytest.raises(ConfigError):
        rate.set_sampling_rate(2)
    assert not rate.sample("op", 1, 0)


@pytest.mark.parametrize("wrong", [-1, float("nan")])
def test_an_impossible_duration_is_refused(wrong: float) -> None:
    with pytest.raises(ConfigError, match="milliseconds"):
        DurationSampler(wrong)
