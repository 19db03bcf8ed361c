from __future__ import annotations

import threading
import time
import uuid

import opentracing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.identity import ApplicationTags
from wf_instrument.tracing import InMemoryReporter, WavefrontSpanContext, WavefrontTracer

TAGS = ApplicationTags("Ordering", "styling", "us-west", None, [("env", "prod")])


class _Source:
    def __init__(self, *tags: tuple[str, object]) -> None:
        self.tags = tags
        self.asked = 0

    def span_tags(self) -> list[tuple[str, object]]:
        self.asked += 1
        return list(self.tags)


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]  # as raising as can be


@pytest.fixture
def kept() -> InMemoryReporter:
    return InMemoryReporter()


@pytest.fixture
def tracer(kept: InMemoryReporter) -> WavefrontTracer:
    return WavefrontTracer(kept, TAGS)


def test_tags_are_the_tracers_then_the_sources_then_the_spans_own(tracer: WavefrontTracer) -> None:
    span = tracer.start_request_span("op", None, 1, _Source(("span.kind", "server")))
    span.set_tag("user", "kim")
    assert span.get_tags_as_list() == [
        ("application", "Ordering"),
        ("cluster", "us-west"),
        ("service", "styling"),
        ("shard", "none"),
        ("env", "prod"),
        ("span.kind", "server"),
        ("user", "kim"),
        ("component", "none"),
    ]


@pytest.mark.parametrize("key", ["application", "service", "cluster", "shard", "component"])
def test_spans_own_value_of_a_single_valued_tag_wins(tracer: WavefrontTracer, key: str) -> None:
    span = tracer.start_request_span("op", None, 1, _Source((key, "source")))
    assert span.set_tag(key, "own").get_tags_as_map()[key] == ["own"]


def test_other_keys_keep_every_distinct_value(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op", tags=[("k", "a"), ("k", "b"), ("k", "a")])
    assert span.get_tags_as_map()["k"] == ["a", "b"]


def test_tag_source_is_asked_only_when_tags_are_wanted(tracer: WavefrontTracer) -> None:
    source = _Source(("a", 1))
    span = tracer.start_request_span("op", None, 1, source)
    span.finish_after(5)
    assert source.asked == 0
    assert ("a", "1") in span.to_span_data().tags


@pytest.mark.expects_caught
def test_span_whose_tag_source_raises_leaves_with_its_other_tags(tracer: WavefrontTracer) -> None:
    class Broken:
        def span_tags(self) -> list[tuple[str, object]]:
            raise RuntimeError("broken")

    span = tracer.start_request_span("op", None, 1, Broken()).set_tag("a", "b")
    assert ("a", "b") in span.to_span_data().tags


@pytest.mark.parametrize("value", [None, "", "  ", "\n"])
def test_blank_tags_are_dropped(tracer: WavefrontTracer, value: object) -> None:
    span = tracer.start_request_span("op", None, 1, _Source(("k", value))).set_tag("k", value)
    assert "k" not in dict(span.to_span_data().tags)


@pytest.mark.expects_caught
def test_tag_that_cannot_be_text_is_swallowed(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op").set_tag("bad", _Unprintable())
    span.set_tag(_Unprintable(), "x")  # type: ignore[arg-type]  # what a careless caller does
    assert dict(span.to_span_data().tags)["bad"] == "?"


def test_cyclic_and_huge_values_are_bounded(tracer: WavefrontTracer) -> None:
    cyclic: list[object] = []
    cyclic.append(cyclic)
    span = tracer.start_span("op")
    span.set_tag("cyclic", cyclic).set_tag("long", "x" * 10**6).set_tag("wide", list(range(10**6)))
    tags = dict(span.to_span_data().tags)
    assert tags["long"] == "x" * 1000
    assert len(tags["wide"]) <= 1000
    assert "[" in tags["cyclic"]


@given(key=st.text(), value=st.one_of(st.text(), st.binary(), st.floats(), st.lists(st.text())))
def test_every_tag_leaves_as_text_that_utf8_can_encode(key: str, value: object) -> None:
    span = WavefrontTracer().start_span("op").set_tag(key, value)
    for name, text in span.to_span_data().tags:
        (name + text).encode()
        assert text.strip()


def test_finish_counts_once(tracer: WavefrontTracer, kept: InMemoryReporter) -> None:
    span = tracer.start_span("op", start_time=100.0)
    span.finish(100.5)
    span.finish(900.0)
    span.finish_after(1)
    assert (len(kept.spans), span.duration_ns) == (1, 500_000_000)


def test_finish_from_many_threads_reports_once(
    tracer: WavefrontTracer, kept: InMemoryReporter
) -> None:
    spans = [tracer.start_span("op") for _ in range(200)]
    barrier = threading.Barrier(4)

    def finish_all() -> None:
        barrier.wait(5)
        for span in spans:
            span.finish()

    threads = [threading.Thread(target=finish_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(kept.spans) == 200


def test_span_that_ends_before_it_began_lasts_no_time(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op", start_time=100.0)
    span.finish(99.0)
    assert span.to_span_data().duration_ns == 0


def test_span_started_in_the_past_lasts_until_now(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op", start_time=time.time() - 10)
    span.finish()
    assert 9.9e9 < span.duration_ns < 20e9


@pytest.mark.expects_caught
@pytest.mark.parametrize("moment", [float("nan"), float("inf"), "soon"])
def test_impossible_finish_time_counts_as_now(tracer: WavefrontTracer, moment: float) -> None:
    span = tracer.start_span("op")
    span.finish(moment)
    assert 0 <= span.duration_ns < 10e9


def test_log_timestamps_are_microseconds(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op").log_kv({"event": "x", "n": 1}, timestamp=1_600_000_000.25)
    span.log_kv({"event": "now"})
    first, second = span.to_span_data().logs
    assert first.timestamp_us == 1_600_000_000_250_000
    assert first.fields == (("event", "x"), ("n", "1"))
    assert abs(second.timestamp_us - time.time() * 1e6) < 10e6


def test_block_that_raises_tags_and_logs_the_exception_and_lets_it_through(
    tracer: WavefrontTracer, kept: InMemoryReporter
) -> None:
    with pytest.raises(KeyError), tracer.start_span("op"):
        raise KeyError("shirt")
    data = kept.spans[0].to_span_data()
    fields = dict(data.logs[0].fields)
    assert data.is_error
    assert dict(data.tags)["error"] == "true"
    assert (fields["event"], fields["error.kind"], fields["message"]) == (
        "error",
        "KeyError",
        "'shirt'",
    )
    assert "test_span.py" in fields["stack"]


def test_scope_that_raises_tags_the_exception(
    tracer: WavefrontTracer, kept: InMemoryReporter
) -> None:
    with pytest.raises(ValueError, match="x"), tracer.start_active_span("op"):
        raise ValueError("x")
    assert kept.spans[0].is_error()


@pytest.mark.parametrize(("value", "is_error"), [(True, True), ("true", True), (False, False)])
def test_span_is_failed_as_its_error_tag_says(
    tracer: WavefrontTracer, value: object, is_error: bool
) -> None:
    span = tracer.start_span("op").set_tag("error", value)
    assert (span.is_error(), span.to_span_data().is_error) == (is_error, is_error)


def test_active_span_is_the_parent_when_none_is_given(tracer: WavefrontTracer) -> None:
    with tracer.start_active_span("outer") as outer:
        inner = tracer.start_span("inner")
        free = tracer.start_span("free", ignore_active_span=True)
    assert inner.get_parents() == [outer.span.span_id]
    assert inner.trace_id == outer.span.trace_id
    assert (free.get_parents(), free.trace_id != outer.span.trace_id) == ([], True)


def test_references_of_both_kinds_are_kept_and_their_baggage_merges(
    tracer: WavefrontTracer,
) -> None:
    a = tracer.start_span("a").set_baggage_item("from", "a")
    b = tracer.start_span("b").set_baggage_item("also", "b")
    c = tracer.start_span("c")
    span = tracer.start_span(
        "op",
        child_of=a,
        references=[opentracing.follows_from(b.context), opentracing.child_of(c.context)],
    )
    assert (span.get_parents(), span.get_follows()) == ([a.span_id, c.span_id], [b.span_id])
    assert span.trace_id == a.trace_id
    assert span.context.baggage == {"from": "a", "also": "b"}


def test_follower_alone_continues_the_trace(tracer: WavefrontTracer) -> None:
    first = tracer.start_span("first")
    span = tracer.start_span("op", references=[opentracing.follows_from(first.context)])
    assert (span.trace_id, span.get_parents()) == (first.trace_id, [])


def test_context_without_a_trace_gives_its_baggage_alone(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op", child_of=WavefrontSpanContext(None, None, {"k": "v"}))
    assert (span.get_parents(), span.get_baggage_item("k")) == ([], "v")


def test_ids_are_uuids_made_from_the_numbers(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op")
    assert isinstance(span.trace_id, uuid.UUID)
    assert (span.trace_id.int, span.span_id.int) == (span.trace_id_int, span.span_id_int)
    assert span.span_id_int < 2**64


def test_context_takes_ids_of_every_kind() -> None:
    ids = uuid.uuid4(), uuid.UUID(int=7)
    contexts = {
        WavefrontSpanContext(*ids),
        WavefrontSpanContext(str(ids[0]), str(ids[1])),
        WavefrontSpanContext(ids[0].int, 7),
        WavefrontSpanContext(ids[0].hex, "0000000000000007"),
    }
    (context,) = contexts
    assert (context.get_trace_id(), context.get_span_id(), context.has_trace) == (*ids, True)
    assert str(context) == f"WavefrontSpanContext{{traceId={ids[0]}, spanId={ids[1]}}}"


def test_context_is_immutable() -> None:
    context = WavefrontSpanContext(1, 2, {"a": "b"}, tracestate="x=1")
    context.baggage["a"] = "changed"
    more = context.with_baggage_item("c", "d").with_sampling_decision(False)
    with pytest.raises(AttributeError):
        context.trace_id_int = 3
    assert (context.baggage, context.is_sampled(), context.get_sampling_decision()) == (
        {"a": "b"},
        False,
        None,
    )
    assert (more.baggage, more.is_sampled(), more.tracestate) == (
        {"a": "b", "c": "d"},
        True,
        "x=1",
    )


def test_request_span_is_not_made_current(tracer: WavefrontTracer) -> None:
    span = tracer.start_request_span("op", WavefrontSpanContext(1, 2, None, True), 5, None)
    assert tracer.active_span is None
    assert (span.trace_id_int, span.parents, span.start_ns) == (1, ((1, 2),), 5)
