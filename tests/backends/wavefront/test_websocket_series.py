"""WebSockets, background work, waits and held loops under the names of the convention."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loopback import LoopbackReceiver
from samples import histogram, request_row, snapshot, websocket_row
from wf_instrument.backends.wavefront import WavefrontClient, WavefrontPipelineReporter
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.reporting.snapshot import WebSocketEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.reporting.snapshot import Snapshot

AT_S = 1_700_000_040  # a whole minute
IDENTITY = Identity(ApplicationTags("Ordering", "styling", "us-west-1", "primary"), "h")
TAGS = '"application"="Ordering" "cluster"="us-west-1" "service"="styling" "shard"="primary"'
OK = WebSocketEnd(101)
REFUSED = WebSocketEnd(403, "client_error")


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def report(receiver: LoopbackReceiver, *snapshots: Snapshot) -> list[int]:
    """Report the snapshots to the end; return how many data of each were taken."""
    client = WavefrontClient(receiver.url, flush_interval_seconds=3600)
    reporter = WavefrontPipelineReporter(client, IDENTITY)
    taken = [reporter.report(one) for one in snapshots]
    reporter.close(10)
    return taken


def means(receiver: LoopbackReceiver) -> dict[str, tuple[int, float]]:
    """Return count and mean of each distribution of one value, by name."""
    found = [
        re.match(r'!M \d+ #(\d+) (\S+) "([^"]+)" ', one) for one in receiver.lines("histogram")
    ]
    return {match[3]: (int(match[1]), float(match[2])) for match in found if match}


def test_websockets_become_exactly_these_points(receiver: LoopbackReceiver) -> None:
    row = websocket_row("/room/{id:int}", OK, OK, REFUSED, in_flight=4)
    assert report(receiver, snapshot(websockets=[row], at_s=AT_S)) == [1]
    end = f'{AT_S + 1} source="h" {TAGS} "starlette.func"="chat"'
    name = "starlette.websocket.room._id-int_"
    assert sorted(receiver.lines("wavefront")) == sorted(
        [
            f'"{name}.inflight.value" 4.0 {end}\n',
            f'"{name}.connections.count" 2.0 {end} "status"="101" "outcome"="ok"\n',
            f'"{name}.connections.count" 1.0 {end} "status"="403" "outcome"="client_error"\n',
            f'"{name}.messages_received.count" 6.0 {end}\n',
            f'"{name}.messages_sent.count" 9.0 {end}\n',
            f'"{name}.received_bytes.count" 60.0 {end}\n',
            f'"{name}.sent_bytes.count" 90.0 {end}\n',
        ]
    )
    assert means(receiver) == {f"{name}.duration": (3, 2000.0)}


def test_counters_of_websockets_go_on_and_their_gauge_is_replaced(
    receiver: LoopbackReceiver,
) -> None:
    report(
        receiver,
        snapshot(websockets=[websocket_row("/chat", OK, in_flight=4)], at_s=AT_S),
        snapshot(websockets=[websocket_row("/chat", OK, OK, in_flight=1)], at_s=AT_S + 60),
    )
    values: dict[str, list[float]] = {}
    for line in receiver.lines("wavefront"):
        values.setdefault(line.split('"')[1].rsplit("chat.")[1], []).append(float(line.split()[1]))
    assert values["connections.count"] == [1.0, 3.0]
    assert values["messages_sent.count"] == [3.0, 9.0]
    assert values["inflight.value"] == [4.0, 1.0]


def test_websocket_routes_that_meet_on_the_wire_are_one_line_with_their_sum(
    receiver: LoopbackReceiver,
) -> None:
    rows = [websocket_row(route, OK, in_flight=2) for route in ("/a-b", "/a_b")]
    report(receiver, snapshot(websockets=rows, at_s=AT_S))
    lines = receiver.lines("wavefront")
    assert len(lines) == 6
    values = {line.split('"')[1].rsplit("a_b.")[1]: float(line.split()[1]) for line in lines}
    assert (values["connections.count"], values["inflight.value"]) == (2.0, 4.0)


def test_waits_background_work_and_held_loops_are_sent_in_milliseconds(
    receiver: LoopbackReceiver,
) -> None:
    row = replace(
        request_row("/a", 200, [0.5]),
        queued=histogram([0.25]),
        background=histogram([2.0]),
        blocked=histogram([0.125]),
    )
    report(receiver, snapshot(requests=[row], at_s=AT_S))
    found = means(receiver)
    assert found["flask.response.a.summary.GET.200.queued"] == (1, 250.0)
    assert found["flask.response.a.summary.GET.200.background"] == (1, 2000.0)
    assert found["flask.loop.blocked"] == (1, 125.0)


def test_loops_that_websockets_and_requests_of_a_function_held_are_one_distribution(
    receiver: LoopbackReceiver,
) -> None:
    request = request_row("/a", 200, [0.5])
    request = replace(
        request, key=replace(request.key, framework="starlette"), blocked=histogram([0.125])
    )
    socket = replace(websocket_row("/a", func="view"), blocked=histogram([0.125]))
    report(receiver, snapshot(requests=[request], websockets=[socket], at_s=AT_S))
    held = [line for line in receiver.lines("histogram") if "starlette.loop.blocked" in line]
    assert [line.split()[2] for line in held] == ["#2"]


def test_background_work_that_outlasts_its_interval_counts_no_request(
    receiver: LoopbackReceiver,
) -> None:
    rest = replace(
        request_row("/a", 200, []), background=histogram([3.0]), blocked=histogram([0.5])
    )
    assert report(receiver, snapshot(requests=[rest], at_s=AT_S)) == [1]
    assert receiver.lines("wavefront") == []
    assert means(receiver) == {
        "flask.response.a.summary.GET.200.background": (1, 3000.0),
        "flask.loop.blocked": (1, 500.0),
    }
