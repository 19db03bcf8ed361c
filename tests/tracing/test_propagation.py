from __future__ import annotations

import uuid
from collections import UserDict

import opentracing
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentracing import Format

from wf_instrument.tracing import (
    PropagatorRegistry,
    W3CPropagator,
    WavefrontPropagator,
    WavefrontSpanContext,
    WavefrontTracer,
)
from wf_instrument.tracing.propagation import context_from_environ

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
WAVEFRONT = {
    "wf-ot-traceid": str(uuid.UUID(TRACE)),
    "wf-ot-spanid": str(uuid.UUID(int=int(SPAN, 16))),
    "wf-ot-sample": "True",
}
HEADER_FORMATS = [Format.TEXT_MAP, Format.HTTP_HEADERS]


def _extract(carrier: object) -> WavefrontSpanContext | None:
    return PropagatorRegistry().extract(Format.HTTP_HEADERS, carrier)


def _inject(context: WavefrontSpanContext) -> dict[str, str]:
    carrier: dict[str, str] = {}
    PropagatorRegistry().inject(context, Format.HTTP_HEADERS, carrier)
    return carrier


def test_inject_writes_both_header_sets() -> None:
    context = WavefrontSpanContext(TRACE, SPAN, {"user": "kim"}, True)
    assert _inject(context) == {
        "traceparent": PARENT,
        "baggage": "user=kim",
        **WAVEFRONT,
        "wf-ot-user": "kim",
    }


@pytest.mark.parametrize(
    "carrier",
    [
        pytest.param({"traceparent": PARENT}, id="w3c"),
        pytest.param({"TraceParent": f" {PARENT} "}, id="any-case-and-white-space"),
        pytest.param({"traceparent": f"01-{TRACE}-{SPAN}-01-more"}, id="later-version"),
        pytest.param([("Traceparent", PARENT)], id="pairs"),
        pytest.param([(b"traceparent", PARENT.encode())], id="pairs-of-bytes"),
        pytest.param(UserDict(WAVEFRONT), id="dict-like"),
        pytest.param({k.upper(): v for k, v in WAVEFRONT.items()}, id="wavefront-any-case"),
        pytest.param({"traceparent": "bad", **WAVEFRONT}, id="bad-w3c-then-wavefront"),
        pytest.param({"traceparent": PARENT, "wf-ot-traceid": "x"}, id="w3c-first"),
    ],
)
def test_context_is_read_from(carrier: object) -> None:
    context = _extract(carrier)
    assert context is not None
    assert (context.trace_id_int, context.span_id_int) == (int(TRACE, 16), int(SPAN, 16))
    assert context.get_sampling_decision() is True


@pytest.mark.parametrize(
    "carrier",
    [
        {},
        [],
        {"traceparent": ""},
        {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": f"ff-{TRACE}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE.upper()}-{SPAN}-01"},
        {"traceparent": f"{PARENT}-more"},
        {"traceparent": PARENT + "\n" + "x"},
        {"traceparent": "x" * 10_240},
        {"traceparent": None},
        {"wf-ot-traceid": WAVEFRONT["wf-ot-traceid"]},
        {"wf-ot-traceid": "x" * 10_240, "wf-ot-spanid": "y" * 10_240},
        {"wf-ot-traceid": "0" * 32, "wf-ot-spanid": "0" * 32},
        [("traceparent", PARENT), ("traceparent", PARENT.replace("4b", "5c"))],
    ],
)
def test_malformed_headers_are_ignored(carrier: object) -> None:
    assert _extract(carrier) is None


@pytest.mark.expects_caught
@pytest.mark.parametrize("carrier", [None, 5, [1, 2], [("one",)], object()])
def test_what_is_no_carrier_is_ignored(carrier: object) -> None:
    assert WavefrontTracer().extract_headers(carrier) is None


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["traceparent", "tracestate", "baggage", *WAVEFRONT, "wf-ot-k", "x"]),
            st.one_of(st.text(max_size=80), st.just(PARENT), st.binary(max_size=40), st.none()),
        )
    )
)
def test_no_headers_whatever_make_extraction_raise(pairs: list[tuple[str, object]]) -> None:
    context = WavefrontTracer().extract_headers(pairs)
    assert context is None or context.has_trace


@given(
    header=st.text("0123456789abcdefABCDEF-gx \n", max_size=70),
    flags=st.integers(0, 255),
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
)
def test_traceparent_is_read_exactly_when_well_formed(
    header: str, flags: int, trace_id: int, span_id: int
) -> None:
    good = W3CPropagator().extract(
        {"traceparent": f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"}
    )
    assert good == WavefrontSpanContext(trace_id, span_id, None, bool(flags & 1))
    context = W3CPropagator().extract({"traceparent": header})
    assert context is None or context.has_trace


@pytest.mark.slow
@pytest.mark.parametrize("propagator", [W3CPropagator(), WavefrontPropagator()])
@given(
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    decision=st.booleans(),
    baggage=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_.]{0,10}", fullmatch=True).filter(
            lambda key: key not in {"traceid", "spanid", "sample"}
        ),
        st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True),
        max_size=5,
    ),
)
def test_what_is_injected_is_extracted_again(
    propagator: W3CPropagator | WavefrontPropagator,
    trace_id: int,
    span_id: int,
    decision: bool,
    baggage: dict[str, str],
) -> None:
    context = WavefrontSpanContext(trace_id, span_id, baggage, decision)
    carrier: dict[str, str] = {}
    propagator.inject(context, carrier)
    assert propagator.extract(carrier) == context


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=8))
def test_no_baggage_can_break_a_header_in_two(baggage: dict[str, str]) -> None:
    for name, value in _inject(WavefrontSpanContext(1, 2, baggage, True)).items():
        assert (name + value).isascii()
        assert (name + value).isprintable()


def test_text_that_no_header_holds_travels_encoded_in_w3c_baggage() -> None:
    context = WavefrontSpanContext(1, 2, {"name": "Zoë\r\nX: y"}, True)
    carrier = _inject(context)
    assert "wf-ot-name" not in carrier
    assert _extract(carrier) == context


def test_baggage_is_bounded_both_ways() -> None:
    many = {f"k{n}": "v" for n in range(100)}
    big = {f"k{n}": "v" * 1000 for n in range(20)}
    for baggage in (many, big):
        carrier = _inject(WavefrontSpanContext(1, 2, baggage, True))
        assert len(carrier["baggage"]) <= 8192
        assert sum(name.startswith("wf-ot-k") for name in carrier) <= 64
        extracted = WavefrontPropagator().extract(
            {**WAVEFRONT, **{f"wf-ot-{key}": value for key, value in baggage.items()}}
        )
        assert extracted is not None
        assert len(extracted.baggage) <= 64
        assert sum(map(len, extracted.baggage.values())) <= 8192
    context = _extract({"traceparent": PARENT, "baggage": "k=" + "v" * 10_240})
    assert context is not None
    assert context.baggage == {}


def test_tracestate_travels_unread_through_a_span_to_the_next_service() -> None:
    tracer = WavefrontTracer()
    parent = tracer.extract_headers([("traceparent", PARENT), ("tracestate", "a=1,b=t61rcWk=")])
    carrier: dict[str, str] = {}
    tracer.inject(tracer.start_request_span("op", parent, 1, None), Format.HTTP_HEADERS, carrier)
    assert carrier["tracestate"] == "a=1,b=t61rcWk="
    assert carrier["traceparent"].startswith(f"00-{TRACE}-")
    child = tracer.start_span("child", child_of=tracer.start_request_span("op", parent, 1, None))
    assert child.context.tracestate == "a=1,b=t61rcWk="


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        pytest.param(",".join(f"k{n}=v" for n in range(40)), 32, id="too-many-members"),
        pytest.param(",".join(f"k{n}={'v' * 96}" for n in range(10)), 5, id="too-long"),
        pytest.param("x" * 10_240, 0, id="10-kB"),
        pytest.param("a=1\r\nX-Evil: 1", 0, id="header-in-header"),
    ],
)
def test_tracestate_is_cut_between_members(header: str, kept: int) -> None:
    context = _extract({"traceparent": PARENT, "tracestate": header})
    assert context is not None
    members = [member for member in context.tracestate.split(",") if member]
    assert members == header.split(",")[:kept]
    assert len(context.tracestate) <= 512


def test_repeated_baggage_headers_add_up() -> None:
    context = _extract([("traceparent", PARENT), ("baggage", "a=1"), ("baggage", "b=2")])
    assert context is not None
    assert context.baggage == {"a": "1", "b": "2"}


def test_inject_into_a_list_replaces_headers_of_the_same_name() -> None:
    carrier = [("Traceparent", "old"), ("Accept", "*/*")]
    PropagatorRegistry().inject(
        WavefrontSpanContext(TRACE, SPAN, None, True), Format.HTTP_HEADERS, carrier
    )
    assert [v for k, v in carrier if k.lower() == "traceparent"] == [PARENT]
    assert ("Accept", "*/*") in carrier


def test_inject_into_a_dict_replaces_headers_copied_from_a_request() -> None:
    carrier: dict[object, str] = {"Traceparent": "old", "Wf-Ot-Spanid": "old", "Host": "x", 5: "y"}
    PropagatorRegistry().inject(WavefrontSpanContext(TRACE, SPAN), Format.HTTP_HEADERS, carrier)
    assert carrier.pop("Host") == "x"
    assert carrier.pop(5) == "y"
    assert set(carrier) == {"traceparent", "wf-ot-traceid", "wf-ot-spanid"}
    assert carrier["traceparent"] == PARENT


def test_inject_uses_the_item_assignment_of_header_classes_that_also_have_append() -> None:
    class Headers(UserDict[str, str]):
        def append(self, name: str, value: str) -> None:
            raise AssertionError("not by append")

    carrier = Headers()
    PropagatorRegistry().inject(WavefrontSpanContext(TRACE, SPAN), Format.HTTP_HEADERS, carrier)
    assert carrier["traceparent"] == PARENT


def test_128_bit_span_id_leaves_as_its_low_half() -> None:
    carrier: dict[str, str] = {}
    W3CPropagator().inject(WavefrontSpanContext(TRACE, (9 << 64) | 7, None, False), carrier)
    assert carrier == {"traceparent": f"00-{TRACE}-{7:016x}-00"}


def test_context_without_a_trace_writes_no_ids() -> None:
    assert _inject(WavefrontSpanContext(None, None, {"k": "v"})) == {"baggage": "k=v"}


@pytest.mark.parametrize("carrier", [(), "text", 5, None])
def test_inject_into_what_takes_no_headers_is_refused(carrier: object) -> None:
    tracer = WavefrontTracer()
    for fmt in (*HEADER_FORMATS, Format.BINARY):
        with pytest.raises(opentracing.InvalidCarrierException):
            tracer.inject(tracer.start_span("op"), fmt, carrier)


@given(st.binary(max_size=200))
def test_any_bytes_are_safe_to_extract(data: bytes) -> None:
    assert WavefrontTracer().extract(Format.BINARY, bytearray(data)) is None


def test_binary_format_round_trips() -> None:
    context = WavefrontSpanContext(TRACE, SPAN, {"k": "ü"}, True)
    carrier = bytearray(b"old")
    PropagatorRegistry().inject(context, Format.BINARY, carrier)
    assert PropagatorRegistry().extract(Format.BINARY, carrier) == context


@pytest.mark.parametrize("fmt", ["unknown", None, 5])
def test_unknown_format_is_refused(fmt: str) -> None:
    tracer = WavefrontTracer()
    with pytest.raises(opentracing.UnsupportedFormatException):
        tracer.inject(tracer.start_span("op"), fmt, {})
    with pytest.raises(opentracing.UnsupportedFormatException):
        tracer.extract(fmt, {})


def test_registered_propagator_is_used_for_its_format() -> None:
    tracer = WavefrontTracer()
    tracer.registry.register("mine", W3CPropagator())
    assert "mine" in tracer.registry.formats
    assert tracer.extract("mine", {"traceparent": PARENT}) is not None
    assert tracer.extract("mine", WAVEFRONT) is None


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_TRACEPARENT": PARENT, "wsgi.input": object(), "CONTENT_TYPE": "x"},
        {"HTTP_WF_OT_TRACEID": WAVEFRONT["wf-ot-traceid"], "HTTP_WF_OT_SPANID": SPAN.zfill(32)},
    ],
)
def test_context_is_read_from_a_wsgi_environ(environ: dict[str, object]) -> None:
    tracer = WavefrontTracer()
    assert any(key in environ for key in tracer.registry.environ_keys)
    context = context_from_environ(tracer, environ)
    assert context is not None
    assert (context.trace_id_int, context.span_id_int) == (int(TRACE, 16), int(SPAN, 16))


def test_a_64_bit_span_id_is_the_low_half_of_a_uuid_and_back() -> None:
    context = _extract({"traceparent": PARENT})
    assert context is not None
    assert str(context.span_id) == f"00000000-0000-0000-{SPAN[:4]}-{SPAN[4:]}"
    assert str(context.trace_id).replace("-", "") == TRACE
    assert _inject(context)["traceparent"] == PARENT


def test_a_malformed_header_begins_a_new_trace() -> None:
    tracer = WavefrontTracer()
    span = tracer.start_span("op", child_of=tracer.extract("http_headers", {"traceparent": "bad"}))
    assert span.get_parents() == []
    assert span.trace_id_int
