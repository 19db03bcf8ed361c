"""A computation's stream: complete data in order, none lost, none twice; and what it tells."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.backends.signalfx.signalflow import (
    Computation,
    ComputationAborted,
    ComputationFailed,
    SignalFlowConnectionError,
    SignalFlowException,
)
from wf_instrument.backends.signalfx.signalflow import messages as m
from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def decoded(token: str) -> m.StreamMessage:
    """`D1a` is part `a` of the data at 1, with the value 1; `I` an information, `E` the end."""
    if token == "I":
        return m.InfoMessage(0, {"messageCode": "JOB_RUNNING_RESOLUTION"})
    if token == "E":
        return m.EndOfChannelMessage(0)
    at = int(token[1])
    part = token[2:] or "a"
    return m.DataMessage(at, [{"tsId": part, "value": at}])


def channel_of(given: Iterable[Any]) -> ComputationChannel:
    channel = ComputationChannel("c")
    for one in given:
        channel.offer(decoded(one) if isinstance(one, str) else one)
    channel.end()
    return channel


def computation_of(*given: Any) -> Computation:
    return Computation(lambda _: channel_of(given))


def data_of(messages: Iterable[m.StreamMessage]) -> list[tuple[int | None, str]]:
    return [
        (one.logical_timestamp_ms, "".join(sorted(one.data)))
        for one in messages
        if isinstance(one, m.DataMessage)
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("D1 I D2 D3 E", [(1, "a"), (2, "a"), (3, "a")]),
        ("D1a D1b I D2a D2b D3a D3b E", [(1, "ab"), (2, "ab"), (3, "ab")]),
        ("D1 D2 D3 D4 E", [(1, "a"), (2, "a"), (3, "a"), (4, "a")]),
        ("I D1 D2 D3 E", [(1, "a"), (2, "a"), (3, "a")]),
        ("D1a I D1b I D2a D2b E", [(1, "ab"), (2, "ab")]),
        ("D1a D1b I D2a D3a D3b D4a D4b E", [(1, "ab"), (2, "a"), (3, "ab"), (4, "ab")]),
        # Data of a later time before the information about an earlier one.
        ("D1a D1b D2a I D2b I D3a D3b E", [(1, "ab"), (2, "ab"), (3, "ab")]),
        # A part that comes too late is handed out by itself, and more are waited for from then on.
        ("D1a D2a D1b D2b D3a D3b E", [(1, "a"), (2, "a"), (1, "b"), (2, "b"), (3, "ab")]),
        ("D2a D1b E", [(1, "b"), (2, "a")]),
    ],
)
def test_data_are_put_together_by_their_time(given: str, expected: list[tuple[int, str]]) -> None:
    computation = computation_of(*given.split())
    assert data_of(computation.stream()) == expected
    assert computation.state == Computation.STATE_COMPLETED
    assert computation.last_logical_ts == max(at for at, _ in expected)


def test_complete_data_are_handed_out_at_once_when_the_number_of_parts_is_known() -> None:
    channel = ComputationChannel("c")
    stream = Computation(lambda _: channel).stream()
    for token in ("D1a", "D1b", "D2a"):
        channel.offer(decoded(token))
    assert data_of([next(stream)]) == [(1, "ab")]
    channel.offer(decoded("D2b"))
    assert data_of([next(stream)]) == [(2, "ab")]


def test_a_later_value_of_a_time_series_replaces_the_earlier_of_the_same_time() -> None:
    parts = [m.DataMessage(1, {"a": 1}), m.DataMessage(1, {"a": 2}, 9), decoded("E")]
    (batch,) = computation_of(*parts).stream()
    assert isinstance(batch, m.DataMessage)
    assert (batch.data, batch.max_delay_ms) == ({"a": 2}, 9)


def test_states_follow_the_messages_and_control_messages_pass_but_start_and_end() -> None:
    given: list[m.StreamMessage] = [
        m.StreamStartMessage(1),
        m.JobStartMessage(1, "H"),
        m.JobProgressMessage(1, 50),
        m.EventMessage("t", 1, {}, {}),
        m.ExpiredTsIdMessage("t"),
        decoded("D1"),
        decoded("D2"),
        decoded("E"),
    ]
    computation = computation_of(*given)
    assert computation.state == Computation.STATE_UNKNOWN == 0
    seen = [(type(one).__name__, computation.state) for one in computation.stream()]
    assert seen == [
        ("JobStartMessage", 2),
        ("JobProgressMessage", 2),
        ("EventMessage", 2),
        ("ExpiredTsIdMessage", 2),
        ("DataMessage", 3),
        ("DataMessage", 3),
    ]
    assert (computation.state, computation.id) == (4, "H")
    assert [
        Computation.STATE_STREAM_STARTED, Computation.STATE_COMPUTATION_STARTED,
        Computation.STATE_DATA_RECEIVED, Computation.STATE_COMPLETED, Computation.STATE_ABORTED,
    ] == [1, 2, 3, 4, 5]  # fmt: skip


def info(code: str, contents: dict[str, Any] | None = None, **more: Any) -> m.InfoMessage:
    return m.InfoMessage(1, {"messageCode": code, "contents": contents or {}, **more})


def test_information_becomes_attributes() -> None:
    computation = computation_of(
        info("JOB_RUNNING_RESOLUTION", {"resolutionMs": 1000}),
        info("FETCH_NUM_TIMESERIES", numInputTimeSeries=3),
        info("FETCH_NUM_TIMESERIES", numInputTimeSeries="4"),
        info("FIND_MATCHED_NO_TIMESERIES"),
        info("FIND_LIMITED_RESULT_SET", {"matchedSize": 9, "limitSize": 5}),
        info("GROUPBY_MISSING_PROPERTY", {"propertyNames": ["p"]}),
        info("JOB_INITIAL_MAX_DELAY", {"maxDelayMs": 10}),
        info("JOB_DETECTED_LAG", {"lagMs": 11}),
        info("SOMETHING_NEW"),
        m.InfoMessage(None, None),
        decoded("E"),
    )
    assert computation.num_input_timeseries == computation.find_matched_size == 0
    assert computation.group_by_missing_properties == []
    assert len(list(computation.stream())) == 10
    assert (computation.resolution, computation.num_input_timeseries) == (1000, 7)
    assert (computation.find_matched_no_timeseries, computation.find_limited_resultset) == (
        True,
        True,
    )
    assert (computation.find_matched_size, computation.find_limit_size) == (9, 5)
    assert computation.group_by_missing_property
    assert computation.group_by_missing_properties == ["p"]
    assert (computation.max_delay_ms, computation.lag_ms) == (10, 11)


def test_metadata_are_kept_until_they_expire() -> None:
    computation = computation_of(
        m.MetadataMessage("B", {"sf_metric": "b"}),
        m.MetadataMessage("A", {"sf_metric": "a"}),
        m.ExpiredTsIdMessage("B"),
        decoded("E"),
    )
    stream = computation.stream()
    next(stream)
    next(stream)
    assert computation.get_known_tsids() == ["A", "B"]
    assert computation.get_metadata("A") == {"sf_metric": "a"}
    assert computation.get_metadata("X") is None
    next(stream)
    assert computation.get_known_tsids() == ["A"]


@pytest.mark.parametrize("abort_info", [{"sf_job_abortState": "S"}, {}, None])
def test_an_aborted_computation_raises_whatever_it_tells(abort_info: Any) -> None:
    computation = computation_of(decoded("D1"), m.ChannelAbortMessage(1, abort_info))
    with pytest.raises(ComputationAborted):
        list(computation.stream())
    assert computation.state == Computation.STATE_ABORTED


def test_an_error_message_fails_the_computation_for_good() -> None:
    computation = computation_of(m.ErrorMessage([{"code": 1}]))
    with pytest.raises(ComputationFailed) as caught:
        list(computation.stream())
    assert caught.value.errors == [{"code": 1}]
    assert computation.state == Computation.STATE_ABORTED


def test_a_stream_begun_after_close_is_empty() -> None:
    computation = computation_of("D1", "E")
    computation.close()
    assert list(computation.stream()) == []
    assert computation.state == Computation.STATE_COMPLETED
    computation.close()


def test_close_from_another_thread_ends_a_stream_that_waits() -> None:
    channel = ComputationChannel("c")
    computation = Computation(lambda _: channel)
    got: list[m.StreamMessage] = []
    reader = threading.Thread(target=lambda: got.extend(computation.stream()))
    reader.start()
    computation.close()
    reader.join(10)
    assert not reader.is_alive()
    assert got == []


def test_close_ends_a_stream_that_waits_to_connect_again() -> None:
    is_waiting = threading.Event()

    def execute(since: int | None) -> ComputationChannel:
        return channel_of(["D1"])

    computation = Computation(execute, first_pause_s=60)
    reader = threading.Thread(target=lambda: [is_waiting.set() for _ in computation.stream()])
    reader.start()
    computation.close()
    reader.join(10)
    assert not reader.is_alive()


class Service:
    """Executes again and again, as told; remembers since when."""

    def __init__(self, *runs: Any) -> None:
        self.runs = iter(runs)
        self.since: list[int | None] = []

    def __call__(self, since: int | None) -> ComputationChannel:
        self.since.append(since)
        run = next(self.runs)
        if isinstance(run, Exception):
            raise run
        return channel_of(run.split())


def stream_of(service: Callable[[int | None], ComputationChannel], **options: Any) -> Any:
    computation = Computation(service, first_pause_s=0.001, **options)
    return computation, computation.stream()


def test_a_lost_connection_executes_again_from_the_last_time_and_hands_nothing_out_twice() -> None:
    told: list[int] = []
    service = Service("D1 D2 D3", "D2 D3 D4", "D3 D4 D5 E")
    computation, stream = stream_of(service, on_reconnect=told.append)
    assert data_of(stream) == [(1, "a"), (2, "a"), (3, "a"), (4, "a"), (5, "a")]
    assert service.since == [None, 3, 4]
    assert told == [1, 2] == list(range(1, computation.reconnects + 1))


def test_what_was_incomplete_when_the_connection_broke_comes_again_complete() -> None:
    service = Service("D1a D1b D2a D2b D3a", "D2a D2b D3a D3b E")
    _, stream = stream_of(service)
    assert data_of(stream) == [(1, "ab"), (2, "ab"), (3, "ab")]


def test_without_anything_handed_out_it_goes_on_from_what_was_waiting() -> None:
    service = Service("D7a", "D7a D7b E")
    _, stream = stream_of(service)
    assert data_of(stream) == [(7, "ab")]
    assert service.since == [None, 7]


def test_an_attached_stream_hands_out_the_incomplete_since_it_does_not_come_again() -> None:
    service = Service("D1a D1b D2a", "D3a D3b E")
    _, stream = stream_of(service, replays=False)
    assert data_of(stream) == [(1, "ab"), (2, "a"), (3, "ab")]


def test_events_are_not_handed_out_twice_after_a_new_start() -> None:
    event = m.EventMessage("t", 5, {}, {"is": "anomalous"})
    later = m.EventMessage("t", 6, {}, {"is": "ok"})
    channels = iter([channel_of([event, "D1"]), channel_of([event, later, "D1", "E"])])
    _, stream = stream_of(lambda _: next(channels))
    assert [one.timestamp_ms for one in stream if isinstance(one, m.EventMessage)] == [5, 6]


def test_a_service_that_is_away_for_a_while_is_tried_until_it_is_back() -> None:
    away = SignalFlowConnectionError(0, "refused")
    service = Service("D1", away, SignalFlowException(503), "D1 D2 E")
    _, stream = stream_of(service)
    assert data_of(stream) == [(1, "a"), (2, "a")]


def test_a_refusal_on_the_way_back_is_raised() -> None:
    computation, stream = stream_of(Service("D1", SignalFlowException(401, "bad token")))
    with pytest.raises(SignalFlowException, match="401: bad token"):
        data_of(stream)
    assert computation.state == Computation.STATE_ABORTED


def test_a_service_that_stays_away_is_given_up_at_the_limit() -> None:
    away = SignalFlowConnectionError(0, "refused")
    service = Service("D1", away, away, away, away)
    _, stream = stream_of(service, max_reconnects=3)
    with pytest.raises(SignalFlowConnectionError, match="4 times in a row"):
        data_of(stream)
    assert len(service.since) == 4


@pytest.mark.expects_caught
def test_a_callback_that_fails_costs_nothing() -> None:
    def fail(_: int) -> None:
        raise RuntimeError("the application's")

    _, stream = stream_of(Service("D1", "D1 D2 E"), on_reconnect=fail)
    assert data_of(stream) == [(1, "a"), (2, "a")]


def test_a_result_becomes_a_table_with_labels() -> None:
    cpu = {"sf_originatingMetric": "cpu", "sf_key": ["host", "sf_metric"], "host": "a"}
    computation = computation_of(
        m.MetadataMessage("A", cpu),
        m.DataMessage(2000, {"A": 3.5}),
        m.DataMessage(1000, {"A": 1, "B": 2}),
        decoded("E"),
    )
    table = computation.to_table()
    assert table.to_lists() == [
        ["timestamp", "B", "cpu{host=a}"], [1000, 2, 1], [2000, None, 3.5],
    ] or table.to_lists() == [
        ["timestamp", "cpu{host=a}", "B"], [1000, 1, 2], [2000, 3.5, None],
    ]  # fmt: skip
    assert table.metadata("A") == cpu
    assert table.metadata("B") == {}


def test_a_table_of_so_many_rows_closes_the_computation() -> None:
    computation = computation_of("D1", "D2", "D3", "D4")
    assert list(computation.to_table(max_rows=2).rows) == [1, 2]
    assert computation.state == Computation.STATE_COMPLETED


@pytest.mark.slow
def test_a_result_becomes_a_data_frame_in_utc() -> None:
    pytest.importorskip("pandas")
    frame = computation_of(
        m.MetadataMessage("A", {"sf_streamLabel": "load"}),
        m.DataMessage(1000, {"A": 1}),
        m.DataMessage(2000, {"A": 2, "B": 3}),
        decoded("E"),
    ).to_df()
    assert list(frame.columns) == ["A", "B"]
    assert [one.isoformat() for one in frame.index] == [
        "1970-01-01T00:00:01+00:00", "1970-01-01T00:00:02+00:00",
    ]  # fmt: skip
    assert (list(frame["A"]), frame["B"].isna().tolist()) == ([1, 2], [True, False])
    assert frame.attrs["labels"] == {"A": "load", "B": "B"}
