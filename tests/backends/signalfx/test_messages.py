"""Each message of a stream has its class, attributes and text; errors have their texts."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest

from wf_instrument.backends.signalfx.signalflow import messages as m
from wf_instrument.backends.signalfx.signalflow.errors import (
    ComputationAborted,
    ComputationFailed,
    SignalFlowException,
)


def control(event: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "timestampMs": 7, **more}


ABORT = {"sf_job_abortState": "STOPPED", "sf_job_abortReason": "because"}
#: Type, payload, class, attributes, text.
MESSAGES: list[tuple[str, dict[str, Any], type, dict[str, Any], str]] = [
    ("control-message", control("STREAM_START"), m.StreamStartMessage, {"timestamp_ms": 7},
     "stream_start@7"),
    ("control-message", control("JOB_START", handle="H"), m.JobStartMessage,
     {"timestamp_ms": 7, "handle": "H"}, "job_start@7: H"),
    ("control-message", control("JOB_PROGRESS", progress=40), m.JobProgressMessage,
     {"timestamp_ms": 7, "progress": 40}, "job_progress@7: 40"),
    ("control-message", control("CHANNEL_ABORT", abortInfo=ABORT), m.ChannelAbortMessage,
     {"timestamp_ms": 7, "abort_info": ABORT}, f"channel_abort@7: {ABORT}"),
    ("control-message", control("END_OF_CHANNEL"), m.EndOfChannelMessage, {"timestamp_ms": 7},
     "end_of_channel@7"),
    ("message", {"logicalTimestampMs": 5, "message": {"a": 1}}, m.InfoMessage,
     {"logical_timestamp_ms": 5, "message": {"a": 1}}, "info@5: {'a': 1}"),
    ("event", {"tsId": "T", "timestampMs": 5, "metadata": {"m": 1},
               "properties": {"is": "anomalous", "was": "ok"}}, m.EventMessage,
     {"tsid": "T", "timestamp_ms": 5, "metadata": {"m": 1},
      "properties": {"is": "anomalous", "was": "ok"}},
     "event@5: {'m': 1}: is: anomalous, was: ok"),
    ("metadata", {"tsId": "T", "properties": {"sf_metric": "cpu", "host": "a"}}, m.MetadataMessage,
     {"tsid": "T", "properties": {"sf_metric": "cpu", "host": "a"}},
     "metadata for T:\n  sf_metric: cpu\n  host: a"),
    ("expired-tsid", {"tsId": "T"}, m.ExpiredTsIdMessage, {"tsid": "T"}, "expired_tsid for T"),
    ("data", {"logicalTimestampMs": 5, "maxDelayMs": 9,
              "data": [{"tsId": "A", "value": 1}, {"tsId": "B", "value": None}]}, m.DataMessage,
     {"logical_timestamp_ms": 5, "max_delay_ms": 9, "data": {"A": 1, "B": None}},
     "data@5: A: 1, B: None"),
    ("error", {"errors": [{"code": 1, "context": {}}]}, m.ErrorMessage,
     {"errors": [{"code": 1, "context": {}}]}, "error: [{'code': 1, 'context': {}}]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "payload", "made", "attributes", "text"), MESSAGES, ids=lambda one: str(one)[:20]
)
def test_a_message_is_decoded_into_its_class(
    kind: str, payload: dict[str, Any], made: type, attributes: dict[str, Any], text: str
) -> None:
    message = m.StreamMessage.decode(kind, payload)
    assert type(message) is made
    assert {name: getattr(message, name) for name in attributes} == attributes
    assert str(message) == text
    values = [value for name, value in attributes.items() if name != "max_delay_ms"]
    assert str(made(*values)) == text  # the constructor takes the attributes in this order


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in MESSAGES}))
@pytest.mark.parametrize("event", ["JOB_START", "JOB_PROGRESS", "CHANNEL_ABORT", "STREAM_START"])
def test_missing_keys_are_tolerated(kind: str, event: str) -> None:
    message = m.StreamMessage.decode(kind, {"event": event})
    assert message is not None
    assert str(message)


@pytest.mark.parametrize("kind", ["log-data", "", None])
def test_an_unknown_type_is_told_and_skipped(
    kind: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert m.StreamMessage.decode(kind, {}) is None
    assert m.ControlMessage.of({"event": "NEWER"}) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_a_sign_of_life_is_no_message_and_not_worth_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert m.StreamMessage.decode("control-message", {"event": "KEEP_ALIVE"}) is None
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["error", None])
def test_an_error_may_come_in_its_own_keys_with_or_without_a_type(kind: str | None) -> None:
    payload = {"error": 400, "errorType": "ANALYTICS", "message": "no", "context": {"line": 1}}
    message = m.StreamMessage.decode(kind, {**payload, "channel": "c"})
    assert isinstance(message, m.ErrorMessage)
    assert message.errors == [{**payload, "code": 400}]
    assert (message.error_type, message.message) == ("ANALYTICS", "no")


def test_data_can_be_added_to_data() -> None:
    message = m.DataMessage(1, [{"tsId": "A", "value": 1}])
    message.add_data({"A": 2, "B": 3})
    assert message.data == {"A": 2, "B": 3}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SignalFlowException(400, "text", "TYPE"), "400 (TYPE): text"),
        (SignalFlowException(400, "text"), "400: text"),
        (SignalFlowException(400), "Error 400"),
        (SignalFlowException(400, None, "TYPE"), "Error 400 (TYPE)"),
        (ComputationAborted(ABORT), "Computation stopped: because"),
        (ComputationAborted({}), "Computation aborted: None"),
        (ComputationAborted(None), "Computation aborted: None"),
        (ComputationFailed([1]), "Computation failed ([1])"),
    ],
)
def test_an_error_has_this_text_also_after_pickling(error: Exception, text: str) -> None:
    assert str(error) == text
    assert str(pickle.loads(pickle.dumps(error))) == text


def test_errors_have_their_attributes() -> None:
    error = SignalFlowException(400, "text", "TYPE")
    assert (error.code, error.message, error.error_type) == (400, "text", "TYPE")
    aborted = ComputationAborted(ABORT)
    assert (aborted.state, aborted.reason) == ("STOPPED", "because")
    assert ComputationFailed(["e"]).errors == ["e"]
