"""How spans end: twice, late, out of order, elsewhere, and by clocks that step back."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.reporting.snapshot import SnapshotDraft
from wf_instrument.tracing import (
    ConstantSampler,
    DurationSampler,
    InMemoryReporter,
    SpanBuffer,
    WavefrontTracer,
)

if TYPE_CHECKING:
    from wf_instrument.tracing import WavefrontSpan


@pytest.fixture
def kept() -> InMemoryReporter:
    return InMemoryReporter()


@pytest.fixture
def tracer(kept: InMemoryReporter) -> WavefrontTracer:
    return WavefrontTracer(kept)


def test_what_is_done_to_a_span_after_its_end_neither_fails_nor_reports_again(
    tracer: WavefrontTracer, kept: InMemoryReporter
) -> None:
    span = tracer.start_span("op", start_time=100.0)
    span.finish(100.5)
    span.set_tag("late", 1).set_tag("sampling.priority", 0).log_kv({"event": "late"})
    span.set_operation_name("renamed").set_baggage_item("k", "v")
    span.set_error(ValueError("late"))
    span.finish(200.0)
    with span:
        pass
    assert kept.spans == [span]
    assert span.to_span_data().duration_ns == 500_000_000


def test_parents_may_end_before_their_children(
    tracer: WavefrontTracer, kept: InMemoryReporter
) -> None:
    parent = tracer.start_span("parent")
    child = tracer.start_span("child", child_of=parent)
    parent.finish()
    grandchild = tracer.start_span("grandchild", child_of=child)
    child.finish()
    grandchild.finish()
    of_an_ended_one = tracer.start_span("late", child_of=parent)
    of_an_ended_one.finish()
    assert [span.operation_name for span in kept.spans] == ["parent", "child", "grandchild", "late"]
    assert {span.trace_id for span in kept.spans} == {parent.trace_id}
    assert grandchild.get_parents() == [child.span_id]
    assert of_an_ended_one.get_parents() == [parent.span_id]


def test_scopes_may_be_closed_out_of_order(tracer: WavefrontTracer, kept: InMemoryReporter) -> None:
    outer = tracer.start_active_span("outer")
    inner = tracer.start_active_span("inner")
    outer.close()
    inner.close()
    outer.close()
    assert tracer.active_span is None
    assert [span.operation_name for span in kept.spans] == ["inner", "outer"]


def test_a_span_may_end_in_another_thread(tracer: WavefrontTracer, kept: InMemoryReporter) -> None:
    with tracer.start_active_span("outer", finish_on_close=False) as scope:
        thread = threading.Thread(target=scope.span.finish)
        thread.start()
        thread.join()
        assert tracer.active_span is scope.span
    assert kept.spans == [scope.span]
    assert tracer.active_span is None


def test_a_span_may_end_in_another_task(tracer: WavefrontTracer, kept: InMemoryReporter) -> None:
    async def main() -> None:
        span = tracer.start_span("op")

        async def end() -> None:
            span.finish()

        await asyncio.gather(end(), end())
        assert kept.spans == [span]

    asyncio.run(main())


def test_a_scope_left_open_in_a_task_is_not_current_outside(tracer: WavefrontTracer) -> None:
    async def main() -> None:
        async def leave_open() -> None:
            tracer.start_active_span("left")

        await asyncio.create_task(leave_open())
        assert tracer.active_span is None

    asyncio.run(main())


def test_a_thread_continues_the_trace_of_a_context_it_is_given(
    tracer: WavefrontTracer, kept: InMemoryReporter
) -> None:
    with tracer.start_active_span("outer") as scope:
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(lambda: tracer.start_span("inner").finish(),))
        thread.start()
        thread.join()
    assert kept.spans[0].get_parents() == [scope.span.span_id]


def test_a_start_in_the_future_makes_a_span_of_no_duration(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op", start_time=time.time() + 3600)
    span.finish()
    assert span.duration_ns == 0
    span = tracer.start_span("op", start_time=200.0)
    span.finish(finish_time=100.0)
    assert (span.start_time, span.duration_ns) == (200.0, 0)


def test_the_duration_does_not_follow_a_wall_clock_that_is_set_back(
    tracer: WavefrontTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [tracer.start_span("op"), tracer.start_span("op", start_time=time.time())]
    now_ns = time.time_ns()
    monkeypatch.setattr("time.time_ns", lambda: now_ns - 3600 * 10**9)
    for span in spans:
        span.finish()
        assert 0 < span.duration_ns < 60 * 10**9


@pytest.mark.expects_caught
@pytest.mark.parametrize("moment", [-1.0, 1e12, float("nan"), float("-inf"), 10**400, "soon", [1]])
def test_a_start_that_is_no_time_counts_as_now(tracer: WavefrontTracer, moment: Any) -> None:
    span = tracer.start_span("op", start_time=moment)
    span.log_kv({"event": "x"}, timestamp=moment)
    span.finish(moment)
    assert abs(span.start_time - time.time()) < 10
    assert span.duration_ns < 10 * 10**9
    (log,) = span.to_span_data().logs
    assert abs(log.timestamp_us / 1e6 - time.time()) < 10


def test_spans_that_end_unsampled_are_counted(kept: InMemoryReporter) -> None:
    early = WavefrontTracer(kept, samplers=[ConstantSampler(False)])
    late = WavefrontTracer(kept, samplers=[DurationSampler(1000)])
    for tracer in (early, late):
        tracer.start_span("op").finish()
        tracer.start_span("op").finish()
        tracer.start_span("op").set_tag("error", True).finish()
        assert tracer.discarded == 2
    assert len(kept.spans) == 2


def test_tags_set_until_the_drain_leave_with_the_span() -> None:
    buffer = SpanBuffer()
    span: WavefrontSpan = WavefrontTracer(buffer).start_span("op")
    span.finish()
    span.set_tag("late", "yes")
    draft = SnapshotDraft()
    buffer.drain_into(draft)
    assert ("late", "yes") in draft.spans[0].tags
