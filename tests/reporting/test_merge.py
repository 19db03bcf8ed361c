"""Two snapshots in a row merge into one that says the same."""

from __future__ import annotations

from dataclasses import replace

from samples import histogram, request_row, snapshot, websocket_row
from wf_instrument.reporting.merge import merge_snapshots, merge_websockets
from wf_instrument.reporting.snapshot import WebSocketEnd

OK = WebSocketEnd(101)
REFUSED = WebSocketEnd(403, "client_error")


def test_what_websockets_did_adds_up_and_what_is_open_is_the_latest() -> None:
    earlier = snapshot(websockets=[websocket_row("/chat", OK, in_flight=5)])
    later = snapshot(websockets=[websocket_row("/chat", OK, OK, REFUSED, in_flight=2)])
    (row,) = merge_snapshots(earlier, later).websockets
    assert row.in_flight == 2
    assert dict(row.ends) == {OK: 3, REFUSED: 1}
    assert (row.connections, row.errors) == (4, 1)
    assert (row.messages_received, row.messages_sent) == (8, 12)
    assert (row.received_bytes, row.sent_bytes) == (80, 120)
    assert row.duration is not None
    assert (row.duration.count, row.cpu_s) == (4, 2.0)


def test_an_open_websocket_of_the_earlier_snapshot_stays_open() -> None:
    earlier = snapshot(websockets=[websocket_row("/chat", in_flight=5)])
    later = snapshot(websockets=[websocket_row("/other", OK)])
    merged = merge_snapshots(earlier, later).websockets
    assert [(row.key.route, row.in_flight) for row in merged] == [("/chat", 5), ("/other", 0)]


def test_websockets_of_two_applications_with_one_route_add_up() -> None:
    both = snapshot(websockets=[websocket_row("/chat", OK, in_flight=n) for n in (1, 2)])
    (row,) = merge_snapshots(both, both).websockets
    assert (row.in_flight, row.connections) == (3, 4)


def test_requests_of_two_applications_with_one_route_add_up() -> None:
    both = snapshot(requests=[request_row("/a", 200, [0.1]), request_row("/a", 200, [0.2])])
    (row,) = merge_snapshots(both, both).requests
    assert (row.count, row.latency.count) == (4, 4)


def test_websocket_figures_that_only_one_side_has_are_kept() -> None:
    row = replace(websocket_row("/chat"), cpu_s=None)
    held = replace(row, blocked=histogram([0.3]), cpu_s=0.25)
    merged = merge_websockets(row, held)
    assert (merged.blocked, merged.cpu_s) == (held.blocked, 0.25)
    assert merge_websockets(row, row).cpu_s is None
