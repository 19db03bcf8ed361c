"""Binary messages are read as the vectors say, and nothing makes the reader fail otherwise."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalflow_service import data_frame
from wf_instrument.backends.signalfx.signalflow import (
    Computation,
    SignalFlowException,
    WebSocketTransport,
)
from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel
from wf_instrument.backends.signalfx.signalflow.errors import (
    ComputationAborted,
    ComputationFailed,
    FrameError,
)
from wf_instrument.backends.signalfx.signalflow.frames import read_frame
from wf_instrument.backends.signalfx.signalflow.messages import StreamMessage

CHANNEL = "channel-AbCd1234"
TIME_MS = 1700000000000
V3 = bytes.fromhex(
    "030500006368616e6e656c2d41624364313233340000018bcfe568000000000000002328000000040100000000000000"
    "0afffffffffffffffb02000000000000000b400400000000000000000000000000000c0000000000000000030000000000"
    "00000d000000000000002a"
)
V1 = bytes.fromhex(
    "010500006368616e6e656c2d41624364313233340000018bcfe56800000000010200000000e404f8633fe0000000000000"
)
V1_GZIP = bytes.fromhex(
    "010501006368616e6e656c2d4162436431323334"
    "1f8b0800000000000203636060ec3eff34830108189940e413961fc9f60f18c00000dbb425e71d000000"
)
JSON_HEAD = bytes.fromhex("010402006368616e6e656c2d4162436431323334")
V1_MESSAGE = {
    "channel": CHANNEL,
    "type": "data",
    "logicalTimestampMs": TIME_MS,
    "maxDelayMs": None,
    "data": [{"tsId": "AAAAAOQE-GM", "value": 0.5}],
}


def test_a_frame_of_version_3_is_this_message() -> None:
    assert read_frame(V3) == {
        "channel": CHANNEL,
        "type": "data",
        "logicalTimestampMs": TIME_MS,
        "maxDelayMs": 9000,
        "data": [
            {"tsId": "AAAAAAAAAAo", "value": -5},
            {"tsId": "AAAAAAAAAAs", "value": 2.5},
            {"tsId": "AAAAAAAAAAw", "value": None},
            {"tsId": "AAAAAAAAAA0", "value": 42},
        ],
    }


@pytest.mark.parametrize("frame", [V1, V1_GZIP])
def test_a_frame_of_version_1_is_this_message_gzipped_or_not(frame: bytes) -> None:
    assert read_frame(frame) == V1_MESSAGE
    assert WebSocketTransport.decode_binary_message(frame) == V1_MESSAGE


def test_version_2_has_its_type_and_flags_a_byte_later_or_where_the_others_have_them() -> None:
    expected = {**read_frame(V3)}
    assert read_frame(bytes([2]) + V3[1:]) == expected
    older = bytes([2, 0, 5, 0]) + V3[4:]
    assert read_frame(older) == expected
    packed = bytes([2, 0, 5, 1]) + V3[4:20] + gzip.compress(V3[20:])
    assert read_frame(packed) == expected


@pytest.mark.parametrize("is_packed", [True, False])
def test_json_in_a_frame_is_read_whatever_its_type_byte(is_packed: bool) -> None:
    text = json.dumps({"type": "metadata", "tsId": "T", "properties": {"é": 1}}).encode()
    head = bytearray(JSON_HEAD)
    head[2] |= is_packed
    head[1] = 200
    message = read_frame(bytes(head) + (gzip.compress(text) if is_packed else text))
    assert message == {
        "type": "metadata", "tsId": "T", "properties": {"é": 1}, "channel": CHANNEL,
    }  # fmt: skip


def test_the_channel_in_json_wins_over_that_of_the_header() -> None:
    assert read_frame(JSON_HEAD + b'{"channel": "other"}')["channel"] == "other"


def test_a_point_of_unknown_type_is_left_out() -> None:
    frame = bytearray(V3)
    frame[40] = 9
    assert [one["tsId"] for one in read_frame(bytes(frame))["data"]] == [
        "AAAAAAAAAAs", "AAAAAAAAAAw", "AAAAAAAAAA0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"", id="empty"),
        pytest.param(V3[:19], id="cut-in-the-header"),
        pytest.param(V3[:30], id="cut-in-the-head"),
        pytest.param(V3[:-1], id="cut-in-a-point"),
        pytest.param(V3 + b"x", id="too-long"),
        pytest.param(b"\0" + V3[1:], id="version-0"),
        pytest.param(b"\4" + V3[1:], id="version-4"),
        pytest.param(V3[:1] + b"\7" + V3[2:], id="unknown-type"),
        pytest.param(V1_GZIP[:-12], id="cut-gzip"),
        pytest.param(V1_GZIP[:20] + b"no gzip", id="no-gzip"),
        pytest.param(JSON_HEAD + b"{", id="cut-json"),
        pytest.param(JSON_HEAD + b"[]", id="no-object"),
        pytest.param(JSON_HEAD + b"[" * 100_000, id="deep-json"),
        pytest.param(V3[:36] + struct.pack(">i", -1), id="negative-count"),
    ],
)
def test_a_frame_that_cannot_be_read_is_the_documented_error(frame: bytes) -> None:
    with pytest.raises(FrameError):
        read_frame(frame)
    assert WebSocketTransport.decode_binary_message(frame) is None


@given(
    at_ms=st.integers(-(2**63), 2**63 - 1),
    values=st.dictionaries(
        st.integers(0, 5), st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
    ),
)
def test_what_was_packed_by_the_table_is_read_back(at_ms: int, values: dict[int, float]) -> None:
    message = read_frame(data_frame(CHANNEL, at_ms, values))
    assert message["logicalTimestampMs"] == at_ms
    assert [one["value"] for one in message["data"]] == list(values.values())


mutations = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.slow
@settings(max_examples=500)
@given(
    base=st.sampled_from([V3, V1, V1_GZIP, JSON_HEAD + b'{"type": "event"}']),
    changes=mutations,
    cut=st.integers(0, 120),
    tail=st.binary(max_size=40),
)
def test_a_damaged_frame_raises_nothing_but_the_documented_error(
    base: bytes, changes: list[tuple[int, int]], cut: int, tail: bytes
) -> None:
    frame = bytearray(base)
    for place, value in changes:
        frame[place % len(frame)] = value
    check_only_documented(bytes(frame))
    check_only_documented(bytes(frame[: cut % len(frame)]) + tail)


@pytest.mark.slow
@settings(max_examples=500)
@given(frame=st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_the_documented_error(frame: bytes) -> None:
    check_only_documented(frame)


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
TYPES = ["control-message", "message", "event", "metadata", "data", "error", "expired-tsid", "x"]
EVENTS = ["STREAM_START", "JOB_START", "JOB_PROGRESS", "CHANNEL_ABORT", "END_OF_CHANNEL"]
CODES = [
    "JOB_RUNNING_RESOLUTION", "FETCH_NUM_TIMESERIES", "FIND_LIMITED_RESULT_SET",
    "GROUPBY_MISSING_PROPERTY", "JOB_DETECTED_LAG",
]  # fmt: skip
objects = st.fixed_dictionaries(
    {},
    optional={
        "type": st.one_of(st.sampled_from(TYPES), anything),
        "event": st.one_of(st.sampled_from(EVENTS), anything),
        "tsId": st.one_of(st.text(), anything),
        "properties": anything,
        "metadata": anything,
        "data": st.one_of(st.lists(st.fixed_dictionaries({"tsId": anything})), anything),
        "logicalTimestampMs": st.one_of(st.integers(), anything),
        "message": st.one_of(
            st.fixed_dictionaries(
                {"messageCode": st.sampled_from(CODES), "contents": anything},
                optional={"numInputTimeSeries": anything},
            ),
            anything,
        ),
        "errors": anything,
        "error": anything,
        "abortInfo": anything,
    },
)


@pytest.mark.slow
@settings(max_examples=300)
@given(payloads=st.lists(objects, min_size=1, max_size=6))
def test_any_json_in_frames_raises_nothing_but_documented_errors(
    payloads: list[dict[str, Any]],
) -> None:
    channel = ComputationChannel("c")
    for payload in payloads:
        message = read_frame(JSON_HEAD + json.dumps(payload).encode())
        decoded = StreamMessage.decode(message.get("type"), message)
        if decoded is not None:
            assert str(decoded)
            channel.offer(decoded)
    channel.end(SignalFlowException(0))
    computation = Computation(lambda _: channel)
    try:
        taken = list(computation.stream())
    except (SignalFlowException, ComputationFailed, ComputationAborted):
        return
    # An END_OF_CHANNEL ended it before.
    assert computation.state == Computation.STATE_COMPLETED
    assert None not in taken


def check_only_documented(frame: bytes) -> None:
    try:
        message = read_frame(frame)
    except FrameError:
        return
    assert isinstance(message, dict)
    decoded = StreamMessage.decode(message.get("type"), message)
    assert decoded is None or str(decoded)
