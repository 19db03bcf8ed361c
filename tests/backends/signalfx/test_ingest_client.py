"""The ingest client: what goes over the wire, when, and what is left behind."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from signalfx_service import EVENT_PATH, POINT_PATH, Reply, SignalFxService
from wf_instrument._version import __version__
from wf_instrument.backends.signalfx.constants import SUPPORTED_EVENT_CATEGORIES
from wf_instrument.backends.signalfx.ingest_client import (
    IngestClient,
    JsonSignalFxIngestClient,
    ProtoBufSignalFxIngestClient,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = pytest.mark.parametrize(
    "client_class", [ProtoBufSignalFxIngestClient, JsonSignalFxIngestClient]
)


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService() as made:
        yield made


def gauges(*values: Any) -> list[dict[str, Any]]:
    return [{"metric": "m", "value": value} for value in values]


def test_the_positional_order_is_cumulative_counters_gauges_counters(
    service: SignalFxService,
) -> None:
    with ProtoBufSignalFxIngestClient("T", service.url) as client:
        assert client.send(gauges(1), gauges(2), gauges(3)) is None
    kinds = {point["value"]: point["kind"] for point in service.points()}
    assert kinds == {1: "cumulative_counter", 2: "gauge", 3: "counter"}


@pytest.mark.parametrize("arguments", [(), ([], [], []), (None, None, None)])
def test_a_call_without_points_does_nothing(arguments: Any) -> None:
    client = ProtoBufSignalFxIngestClient("T")
    before = threading.active_count()
    assert client.send(*arguments) is None
    assert threading.active_count() == before


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("slash", ["", "/", "//"])
@BOTH
def test_points_go_to_this_path_with_these_headers(
    service: SignalFxService, client_class: type[IngestClient], compress: bool, slash: str
) -> None:
    agents = ["one/1", "two/2"]
    with client_class(
        "TOKEN", service.url + slash, user_agents=agents, compress=compress
    ) as client:
        client.send(gauges=gauges(1))
    (one,) = service.asked
    assert (one.method, one.target) == ("POST", POINT_PATH)
    assert one.headers["x-sf-token"] == "TOKEN"
    assert one.headers["user-agent"] == f"wf-instrument/{__version__} one/1 two/2"
    kind = "json" if client_class is JsonSignalFxIngestClient else "x-protobuf"
    assert one.headers["content-type"] == f"application/{kind}"
    assert one.headers.get("content-encoding") == ("gzip" if compress else None)
    assert "authorization" not in one.headers


def test_user_agents_count_only_as_a_list(service: SignalFxService) -> None:
    with ProtoBufSignalFxIngestClient("T", service.url, user_agents=("a",)) as client:  # type: ignore[arg-type]
        client.send(gauges=gauges(1))
    assert service.asked[0].headers["user-agent"] == f"wf-instrument/{__version__}"


def test_json_bodies_group_points_by_kind_and_keep_further_keys(service: SignalFxService) -> None:
    point = {"metric": "m", "value": 1, "timestamp": 1500000000000, "dimensions": {"h": "a"}}
    with JsonSignalFxIngestClient("T", service.url, repeat_counters=True) as client:
        client.send([{"metric": "é", "value": "s", "x": None}], [point, point], gauges(2))
    (one,) = service.asked
    assert one.json == {
        "cumulative_counter": [{"metric": "é", "value": "s", "x": None}],
        "gauge": [point, point],
        "counter": [{"metric": "m", "value": 2}],
    }
    assert one.body.isascii()


@pytest.mark.parametrize(
    ("batch_size", "size", "least", "most"),
    [(300, 300, 3, 10), (350, 350, 2, 10), (0, 1, 700, 700)],
)
@pytest.mark.slow
def test_a_request_carries_no_more_than_a_batch_and_rarely_less(
    service: SignalFxService, batch_size: int, size: int, least: int, most: int
) -> None:
    with ProtoBufSignalFxIngestClient("T", service.url, batch_size=batch_size) as client:
        client.send(gauges=gauges(*range(700)))
    assert max(len(one.points) for one in service.asked) == size
    # What waits when a batch has left goes with it, however little it is.
    assert least <= len(service.asked) <= most
    assert service.values() == list(range(700))


@BOTH
def test_extra_dimensions_win_on_points_and_events_until_they_are_removed(
    service: SignalFxService, client_class: type[IngestClient]
) -> None:
    own = {"a": "own", "b": "own"}
    with client_class("T", service.url) as client:
        client.add_dimensions({"a": "extra", "c": "extra", "none": None})
        client.send(gauges=[{"metric": "m", "value": 1, "dimensions": own}])
        client.send_event("e", dimensions=own)
        client.remove_dimensions(["a", "unknown"])
        client.send(gauges=[{"metric": "m", "value": 2, "dimensions": own}])
    merged = {"a": "extra", "b": "own", "c": "extra"}
    assert [p["dimensions"] for p in service.points()] == [merged, {**own, "c": "extra"}]
    (event,) = [one for one in service.asked if one.path == EVENT_PATH]
    if client_class is JsonSignalFxIngestClient:
        assert event.json[0]["dimensions"] == merged
    else:
        assert {pair.key: pair.value for pair in event.event.dimensions} == merged


def test_an_extra_dimension_that_is_no_string_is_refused_at_once() -> None:
    client = ProtoBufSignalFxIngestClient("T")
    with pytest.raises(TypeError, match="'a'"):
        client.add_dimensions({"a": 1})  # type: ignore[dict-item]


def test_an_event_is_sent_in_the_callers_thread_and_its_answer_returned(
    service: SignalFxService,
) -> None:
    before = threading.active_count()
    client = ProtoBufSignalFxIngestClient("TOKEN", service.url)
    answer = client.send_event("deployments", "ALERT", {"h": "a"}, {"v": "1", "on": True}, 1500.7)
    (one,) = service.asked
    assert (one.path, one.headers["x-sf-token"]) == (EVENT_PATH, "TOKEN")
    assert (one.event.eventType, one.event.category, one.event.timestamp) == (
        "deployments", 100000, 1500,
    )  # fmt: skip
    assert (answer.ok, answer.status_code, answer.json(), bool(answer)) == (True, 200, "OK", True)
    assert threading.active_count() <= before + 1  # the server's own


def test_an_event_in_json_keeps_its_nulls(service: SignalFxService) -> None:
    with JsonSignalFxIngestClient("T", service.url) as client:
        client.send_event("et")
    assert service.asked[0].json == [
        {"eventType": "et", "category": None, "dimensions": {}, "properties": {}, "timestamp": None}
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"event_type": None}, TypeError),
        ({"event_type": "e", "category": "alert"}, ValueError),
        ({"event_type": "e", "category": "AGENT"}, ValueError),
        ({"event_type": "e", "dimensions": ["a"]}, ValueError),
        ({"event_type": "e", "dimensions": {"a": 1}}, TypeError),
        ({"event_type": "e", "properties": ["a"]}, ValueError),
        ({"event_type": "e", "properties": {"a": None}}, ValueError),
        ({"event_type": "e", "properties": {"a": 2**63}}, ValueError),
        ({"event_type": "e", "properties": {"a": -(2**63) - 1}}, ValueError),
        ({"event_type": "e", "timestamp": "soon"}, ValueError),
    ],
)
def test_a_bad_event_is_refused_before_anything_is_sent(
    service: SignalFxService, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ProtoBufSignalFxIngestClient("T", service.url).send_event(**arguments)
    assert service.asked == []


@pytest.mark.parametrize("category", SUPPORTED_EVENT_CATEGORIES)
def test_every_supported_category_is_taken(service: SignalFxService, category: str) -> None:
    client = ProtoBufSignalFxIngestClient("T", service.url)
    assert client.send_event("e", category).ok
    fields = service.asked[0].event.DESCRIPTOR.file.enum_types_by_name["EventCategory"]
    assert fields.values_by_name[category].number == service.asked[0].event.category


def test_a_refused_event_is_told_by_its_answer_and_counted(
    service: SignalFxService, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = lambda _: Reply(401, b'{"message": "no such token"}')
    with ProtoBufSignalFxIngestClient("SECRET", service.url) as client:
        answer = client.send_event("e")
        assert (answer.ok, answer.status_code) == (False, 401)
        with pytest.raises(Exception, match="401") as caught:
            answer.raise_for_status()
        assert client.reset_error_counters() == {"HTTP401": 1}
    assert caught.type.__mro__[1].__name__ == "SendError"
    assert "no such token" in caplog.text
    assert "SECRET" not in caplog.text


def test_no_thread_at_construction_and_a_daemon_from_the_first_send_on(
    service: SignalFxService,
) -> None:
    def own() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "wf-instrument-signalfx"]

    client = ProtoBufSignalFxIngestClient("T", service.url)
    assert own() == []
    client.send(gauges=gauges(1))
    (thread,) = own()
    assert thread.daemon
    client.stop()
    assert own() == []
    client.stop("twice")
    client.send(gauges=gauges(2))
    client.stop()
    assert service.values() == [1, 2]
    assert client.sent == 2


def test_leaving_the_block_drains_and_lets_exceptions_pass(service: SignalFxService) -> None:
    def send_and_fail() -> None:
        with ProtoBufSignalFxIngestClient("T", service.url) as client:
            client.send(gauges=gauges(*range(1000)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        send_and_fail()
    assert service.values() == list(range(1000))


def test_points_leave_within_the_interval_without_stop_or_a_full_batch(
    service: SignalFxService,
) -> None:
    client = ProtoBufSignalFxIngestClient("T", service.url, flush_interval_s=0.05)
    client.send(gauges=gauges(1))
    assert service.wait_until(lambda: service.values() == [1])
    client.stop()


@pytest.mark.slow
def test_stop_while_others_send_ends_in_time_and_loses_nothing(service: SignalFxService) -> None:
    client = ProtoBufSignalFxIngestClient("T", service.url)
    is_over = threading.Event()
    sent = [0] * 4

    def keep_sending(slot: int) -> None:
        while not is_over.wait(0.0005):  # or the queue would fill
            client.send(gauges=gauges(slot))
            sent[slot] += 1

    threads = [threading.Thread(target=keep_sending, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    stops = [threading.Thread(target=client.stop) for _ in range(20)]
    for stop in stops:
        stop.start()
        stop.join(15)
    assert not any(stop.is_alive() for stop in stops)
    is_over.set()
    for thread in threads:
        thread.join(10)
    client.stop()
    values = service.values()
    assert [values.count(slot) for slot in range(4)] == sent
    assert (client.sent, client.dropped) == (sum(sent), 0)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_sends_its_own_points_and_not_its_parents(service: SignalFxService) -> None:
    client = ProtoBufSignalFxIngestClient("T", service.url, flush_interval_s=60)
    client.send(gauges=gauges("parent"))
    pid = os.fork()
    if pid == 0:
        client.send(gauges=gauges("child"))
        client.stop()
        os._exit(0 if client.sent == 1 else 1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    client.stop()
    assert sorted(service.values()) == ["child", "parent"]


@pytest.mark.slow
def test_a_program_that_just_ends_still_delivers(service: SignalFxService) -> None:
    program = f"""
from wf_instrument.backends.signalfx.ingest_client import ProtoBufSignalFxIngestClient
client = ProtoBufSignalFxIngestClient("T", {service.url!r})
client.send(gauges=[{{"metric": "m", "value": 1}}])
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert service.values() == [1]


def test_a_full_queue_refuses_the_newest_points_and_counts_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = ProtoBufSignalFxIngestClient(
        "T", "http://127.0.0.1:1", max_queue_size=3, flush_interval_s=60
    )
    client.send(gauges=gauges(*range(5)))
    assert (client.waiting, client.dropped) == (3, 2)
    assert [r.levelno for r in caplog.records if "buffer full" in r.message] == [logging.WARNING]
    client.stop(timeout_s=0.2)
    assert (client.sent, client.dropped) == (0, 5)


def test_the_token_is_in_no_repr_and_no_error() -> None:
    client = ProtoBufSignalFxIngestClient("SECRET", "http://127.0.0.1:1")
    with pytest.raises(Exception, match="no answer from") as caught:
        client.send_event("e")
    assert "SECRET" not in repr(client) + repr(caught.value)


def test_events_without_an_answer_raise_what_programs_of_the_older_client_catch() -> None:
    requests = pytest.importorskip("requests")
    client = ProtoBufSignalFxIngestClient("T", "http://127.0.0.1:1")
    with pytest.raises(requests.exceptions.ConnectionError):
        client.send_event("e")
