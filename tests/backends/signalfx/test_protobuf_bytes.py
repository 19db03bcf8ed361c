"""Data points and events become exactly these bytes, and the real package reads them back."""

from __future__ import annotations

import math
import struct
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfx_service import decoded_point
from wf_instrument.backends.signalfx.field_rules import LimitCheck
from wf_instrument.backends.signalfx.protobuf_bytes import ProtobufEncoder
from wf_instrument.compat.signalfx.generated_protocol_buffers import (
    signal_fx_protocol_buffers_pb2 as pb,
)

TIME_MS = 1500000000000


def encoder() -> ProtobufEncoder:
    return ProtobufEncoder(LimitCheck("off"))


def read_points(data: bytes) -> list[dict[str, Any]]:
    message = cast("Any", pb.DataPointUploadMessage).FromString(data)
    return [decoded_point(one) for one in message.datapoints]


def test_a_gauge_is_this_vector_with_its_metric_type_written() -> None:
    point = {"metric": "m", "value": 1, "timestamp": TIME_MS, "dimensions": {"h": "a"}}
    made = encoder().point("gauge", point, {})
    assert made.hex() == "0a1812016d1880b0def7d32b22021801280032060a0168120161"


def test_points_of_three_kinds_are_this_vector() -> None:
    one = encoder()
    made = (
        one.point("cumulative_counter", {"metric": "cc", "value": 3.5}, {})
        + one.point("gauge", {"metric": "g", "value": "s"}, {})
        + one.point("counter", {"metric": "c", "value": 2}, {})
    )
    assert made.hex() == (
        "0a11120263632209110000000000000c4028030a0a12016722030a017328000a09120163220218022801"
    )


def test_an_event_with_everything_is_this_vector() -> None:
    properties = {"s": "x", "i": 1, "f": 1.5, "b": True}
    made = encoder().event("et", "USER_DEFINED", {"d": "v"}, properties, TIME_MS)
    assert made.hex() == (
        "0a430a02657412060a01641201761a080a017312030a01781a070a0169120218011a0e0a0166120911000000"
        "000000f83f1a070a01621202200120c0843d2880b0def7d32b"
    )


def test_an_event_alone_is_this_vector() -> None:
    assert encoder().event("et", None, {}, {}, None).hex() == "0a040a026574"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
values = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), texts)
points = st.fixed_dictionaries(
    {"metric": texts, "value": values},
    optional={
        "timestamp": st.integers(1, 2**63 - 1),
        "dimensions": st.dictionaries(texts, texts, min_size=1, max_size=40),
    },
)


@given(
    kinds=st.lists(st.tuples(st.sampled_from(["gauge", "counter", "cumulative_counter"]), points))
)
def test_the_real_package_reads_back_whatever_was_encoded(
    kinds: list[tuple[str, dict[str, Any]]],
) -> None:
    one = encoder()
    body = b"".join(one.point(kind, point, {}) for kind, point in kinds)
    assert read_points(body) == [{**point, "kind": kind} for kind, point in kinds]
    # Also a second time, from what is remembered.
    assert b"".join(one.point(kind, point, {}) for kind, point in kinds) == body


@given(
    event_type=texts,
    dimensions=st.dictionaries(texts, texts),
    properties=st.dictionaries(texts, st.one_of(values, st.booleans())),
    timestamp=st.one_of(st.none(), st.integers(1, 2**63 - 1)),
)
def test_the_real_package_reads_back_whatever_event_was_encoded(
    event_type: str,
    dimensions: dict[str, str],
    properties: dict[str, Any],
    timestamp: int | None,
) -> None:
    body = encoder().event(event_type, "JOB", dimensions, properties, timestamp)
    (event,) = cast("Any", pb.EventUploadMessage).FromString(body).events
    assert (event.eventType, event.category) == (event_type, 300000)
    assert {pair.key: pair.value for pair in event.dimensions} == dimensions
    read = {pair.key: pair.value.ListFields()[0][1] for pair in event.properties}
    assert read == properties
    assert {key: type(value) for key, value in read.items()} == {
        key: type(value) for key, value in properties.items()
    }
    assert (event.timestamp if event.HasField("timestamp") else None) == timestamp


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
def test_floats_that_are_no_number_pass_as_doubles(value: float) -> None:
    (point,) = read_points(encoder().point("gauge", {"metric": "m", "value": value}, {}))
    assert struct.pack("<d", point["value"]) == struct.pack("<d", value)


def test_a_remembered_dimension_is_not_mistaken_for_an_equal_one_of_another_type() -> None:
    one = encoder()
    one.point("gauge", {"metric": "m", "value": 1, "dimensions": {"a": "1"}}, {})
    with pytest.raises(TypeError, match="dimension 'a' is a int"):
        one.point("gauge", {"metric": "m", "value": 1, "dimensions": {"a": 1}}, {})


def test_more_names_than_are_remembered_are_encoded_all_the_same() -> None:
    one = encoder()
    made = b"".join(
        one.point("gauge", {"metric": f"m{n}", "value": n, "dimensions": {"n": str(n)}}, {})
        for n in range(10_050)
    )
    assert [point["dimensions"] for point in read_points(made)] == [
        {"n": str(n)} for n in range(10_050)
    ]
