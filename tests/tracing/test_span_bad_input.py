"""Spans take whatever the application gives them, and leave as text a backend can send."""

from __future__ import annotations

from typing import Any

import opentracing
import pytest

from awkward import VALUES, Colour, Loud, Mute
from wf_instrument.identity import ApplicationTags
from wf_instrument.tracing import InMemoryReporter, WavefrontSpanContext, WavefrontTracer

TAGS = ApplicationTags("Ordering", "styling")


@pytest.fixture
def kept() -> InMemoryReporter:
    return InMemoryReporter()


@pytest.fixture
def tracer(kept: InMemoryReporter) -> WavefrontTracer:
    return WavefrontTracer(kept, TAGS)


@pytest.mark.expects_caught
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_a_value_of_any_type_may_be_tag_log_baggage_and_name(
    tracer: WavefrontTracer, kept: InMemoryReporter, make: Any
) -> None:
    value = make()
    red = tracer.derive_red_metrics()
    with tracer.start_active_span("op", tags={"first": value}) as scope:
        span = scope.span
        span.set_tag("k", value).set_tag("component", value).set_tag(value, "v")
        span.log_kv({"k": value}).log_kv({str(type(value)): value}).log_kv(value)
        span.set_baggage_item("k", value)
        span.set_operation_name(value)
        carrier: dict[str, str] = {}
        tracer.inject(span, "http_headers", carrier)
        assert all(type(text) is str for text in carrier.values())
    data = kept.spans[0].to_span_data()
    for text in (data.name, *(part for tag in data.tags for part in tag)):
        assert type(text) is str
        assert len(text) <= 1000
        text.encode()
    assert all(tag[0].strip() and tag[1].strip() for tag in data.tags)
    span.get_tags_as_map()
    assert len(data.logs) >= 2
    counts, _ = red.drain()
    assert counts[0].value == 1


@pytest.mark.parametrize("text", [Colour.RED, Loud("red")])
def test_a_subclass_of_str_reads_as_its_value(text: Any) -> None:
    tracer = WavefrontTracer(None, ApplicationTags(text, text), {text: text})
    span = tracer.start_span(text, tags={"own": text}).set_tag(text, "v")
    span.set_baggage_item(text, text)
    data = span.to_span_data()
    assert data.name == "red"
    assert {("application", "red"), ("red", "red"), ("own", "red"), ("red", "v")} <= set(data.tags)
    assert all(type(part) is str for tag in data.tags for part in tag)
    assert span.context.baggage == {"red": "red"}


def test_keys_of_any_text_leave_as_text_that_utf8_can_encode(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op").set_tag("\ud800", "surrogate").set_tag(5, "number")  # type: ignore[arg-type]  # what a careless caller does
    tags = {value: key for key, value in span.to_span_data().tags}
    assert (tags["surrogate"], tags["number"]) == ("?", "5")


def test_global_tags_of_any_key_cost_no_span() -> None:
    global_tags: Any = {5: "number", "unset": None, "blank": " "}
    tags = WavefrontTracer(None, TAGS, global_tags).start_span("op").to_span_data().tags
    assert dict(tags)["5"] == "number"
    assert not {"unset", "blank"} & dict(tags).keys()


@pytest.mark.expects_caught
def test_an_exception_that_has_no_text_passes_through_the_block_it_left(
    tracer: WavefrontTracer, kept: InMemoryReporter
) -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

        @property
        def __notes__(self) -> list[str]:
            raise RuntimeError("no notes")

    with pytest.raises(SilentError), tracer.start_active_span("scope"):
        raise SilentError
    with pytest.raises(SilentError), tracer.start_span("span"):
        raise SilentError
    assert [span.is_error() for span in kept.spans] == [True, True]
    fields = dict(kept.spans[0].to_span_data().logs[0].fields)
    assert (fields["error.kind"], fields["message"]) == ("SilentError", "?")


@pytest.mark.expects_caught
def test_a_million_tags_and_logs_are_bounded(tracer: WavefrontTracer) -> None:
    span = tracer.start_span("op")
    for number in range(3000):
        span.set_tag(f"k{number}", number).log_kv({"n": number})
    data = span.to_span_data()
    assert len(data.tags) < 1100
    assert len(data.logs) == 1000


def test_references_to_what_is_no_span_of_ours_are_left_out(tracer: WavefrontTracer) -> None:
    foreign: Any = opentracing.Tracer().start_span()
    references: Any = [opentracing.child_of(foreign), opentracing.follows_from(Mute())]
    for span in (
        tracer.start_span("op", child_of=foreign),
        tracer.start_span("op", None, references),
    ):
        assert (span.get_parents(), span.get_follows()) == ([], [])


@pytest.mark.parametrize("wrong", ["no id", "12345", b"bytes"])
def test_an_id_that_is_none_is_told(wrong: Any) -> None:
    with pytest.raises(ValueError, match="UUID"):
        WavefrontSpanContext(wrong, 1)
