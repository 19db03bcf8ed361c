"""Jaeger's and Zipkin's headers, and which headers are read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentracing import Format

from wf_instrument.errors import ConfigError
from wf_instrument.tracing import (
    B3Propagator,
    JaegerPropagator,
    PropagatorRegistry,
    WavefrontSpanContext,
)

if TYPE_CHECKING:
    from wf_instrument.tracing import Propagator

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
CONTEXT = WavefrontSpanContext(TRACE, SPAN, {"user": "kim lee"}, True)
LOW = TRACE[16:]


def ids(context: WavefrontSpanContext | None) -> tuple[str, str, bool | None] | None:
    if context is None:
        return None
    return (
        f"{context.trace_id_int:032x}",
        f"{context.span_id_int:016x}",
        context.get_sampling_decision(),
    )


@pytest.mark.parametrize(
    ("propagator", "written"),
    [
        (
            JaegerPropagator(),
            {"uber-trace-id": f"{TRACE}:{SPAN.lstrip('0')}:0:1", "uberctx-user": "kim%20lee"},
        ),
        (
            JaegerPropagator("trace-id", "baggage-"),
            {"trace-id": f"{TRACE}:{SPAN.lstrip('0')}:0:1", "baggage-user": "kim%20lee"},
        ),
        (B3Propagator("single"), {"b3": f"{TRACE}-{SPAN}-1"}),
        (
            B3Propagator("multi"),
            {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
        ),
    ],
)
def test_a_context_is_written_as(propagator: Propagator, written: dict[str, str]) -> None:
    carrier: dict[str, str] = {}
    propagator.inject(CONTEXT, carrier)
    assert carrier == written
    read = propagator.extract({name.upper(): value for name, value in carrier.items()})
    assert ids(read) == (TRACE, SPAN, True)


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ({"uber-trace-id": f"{TRACE}:{SPAN}:0:0"}, (TRACE, SPAN, False)),
        ({"uber-trace-id": f"{TRACE}%3A{SPAN}%3A0%3A1"}, (TRACE, SPAN, True)),
        ({"uber-trace-id": f"{TRACE}:{SPAN}:0:2"}, (TRACE, SPAN, True)),
        ({"uber-trace-id": f"{LOW}:abc:def:1"}, (LOW.zfill(32), "abc".zfill(16), True)),
        ({"b3": f"{LOW}-{SPAN}"}, (LOW.zfill(32), SPAN, None)),
        ({"b3": f"{TRACE}-{SPAN}-0-{SPAN}"}, (TRACE, SPAN, False)),
        ({"b3": f"{TRACE.upper()}-{SPAN}-d"}, (TRACE, SPAN, True)),
        ({"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN}, (TRACE, SPAN, None)),
        (
            {"X-B3-TraceId": LOW, "X-B3-SpanId": SPAN, "X-B3-Sampled": "true"},
            (LOW.zfill(32), SPAN, True),
        ),
        (
            {
                "X-B3-TraceId": TRACE,
                "X-B3-SpanId": SPAN,
                "X-B3-Sampled": "0",
                "X-B3-Flags": "1",
            },
            (TRACE, SPAN, True),
        ),
        ({"b3": "0"}, None),
        ({"b3": f"{TRACE}-{SPAN}-2"}, None),
        ({"b3": f"{'0' * 32}-{SPAN}-1"}, None),
        ({"X-B3-TraceId": TRACE}, None),
        ({"X-B3-TraceId": TRACE, "X-B3-SpanId": "x" * 16}, None),
        ({"uber-trace-id": f"{TRACE}:{SPAN}:1"}, None),
        ({"uber-trace-id": f"0:{SPAN}:0:1"}, None),
        ({"uber-trace-id": f"{TRACE}f:{SPAN}:0:1"}, None),
        ({"uber-trace-id": "nonsense"}, None),
    ],
)
def test_headers_are_read_as(
    headers: dict[str, str], read: tuple[str, str, bool | None] | None
) -> None:
    assert ids(PropagatorRegistry().extract(Format.HTTP_HEADERS, headers)) == read


def test_baggage_of_jaeger_is_read() -> None:
    headers = {"uber-trace-id": f"{TRACE}:{SPAN}:0:1", "Uberctx-User": "kim%20lee"}
    context = JaegerPropagator().extract(headers)
    assert context is not None
    assert context.baggage == {"user": "kim lee"}


HEX = st.text("0123456789abcdefABCDEF:-% xg", max_size=80)
NAMES = st.sampled_from(
    ["uber-trace-id", "uberctx-a", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"]
)


@given(st.dictionaries(NAMES, st.one_of(HEX, st.text(max_size=80)), max_size=6))
def test_no_headers_whatever_make_extraction_raise(headers: dict[str, str]) -> None:
    for propagator in (JaegerPropagator(), B3Propagator()):
        context = propagator.extract(headers)
        assert context is None or context.has_trace


@given(
    st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.sampled_from([True, False]),
    st.sampled_from(["jaeger", "b3", "b3multi", "w3c", "wavefront"]),
)  # fmt: skip
def test_every_format_gives_back_what_it_was_given(
    trace: int, span: int, decision: bool, name: str
) -> None:
    registry = PropagatorRegistry(inject=[name])
    carrier: dict[str, str] = {}
    registry.inject(WavefrontSpanContext(trace, span, None, decision), Format.TEXT_MAP, carrier)
    context = registry.extract(Format.TEXT_MAP, carrier)
    assert ids(context) == (f"{trace:032x}", f"{span:016x}", decision)


def test_the_order_of_reading_and_what_is_written_are_chosen() -> None:
    headers = {
        "traceparent": f"00-{TRACE}-{SPAN}-01",
        "b3": f"{TRACE}-{'1'.zfill(16)}-1",
    }
    registry = PropagatorRegistry(extract=["b3", "w3c"], inject=["jaeger"])
    assert ids(registry.extract(Format.HTTP_HEADERS, headers)) == (TRACE, "1".zfill(16), True)
    carrier: dict[str, str] = {}
    registry.inject(WavefrontSpanContext(TRACE, SPAN), Format.HTTP_HEADERS, carrier)
    assert list(carrier) == ["uber-trace-id"]
    assert registry.environ_keys == ("HTTP_B3", "HTTP_X_B3_TRACEID", "HTTP_TRACEPARENT")


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="w3c, wavefront, jaeger, b3, b3multi"):
        PropagatorRegistry(extract=["carrier-pigeon"])
    with pytest.raises(ConfigError, match="no header name"):
        JaegerPropagator("trace id")
