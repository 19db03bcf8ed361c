"""Snapshots made by hand become exactly the lines of the convention."""

from __future__ import annotations

import queue
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loopback import Answer, LoopbackReceiver
from samples import histogram, request_row, snapshot, span
from wf_instrument.backends.wavefront import WavefrontClient, WavefrontPipelineReporter
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.metrics.conventions.hierarchical import entity_name
from wf_instrument.reporting.snapshot import InFlight, MinuteDistribution, Point

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_S = 1_700_000_040  # a whole minute
FULL = '"application"="Ordering" "cluster"="us-west-1" "service"="styling" "shard"="primary"'
PLAIN = Identity(ApplicationTags("Ordering", "styling"), "host-1")


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def reporter_to(
    receiver: LoopbackReceiver, identity: Identity = PLAIN, **options: int
) -> WavefrontPipelineReporter:
    client = WavefrontClient(receiver.url, flush_interval_seconds=3600, **options)  # type: ignore[arg-type]  # ints among them
    return WavefrontPipelineReporter(client, identity)


@pytest.mark.parametrize(
    ("route", "entity"),
    [
        ("/style/<path:id>/make", "style.path:id.make"), ("/style/{id:path}/make",
        "style._id:path_.make"), ("/", "_root_"), ("", "_root_"), (None, "UNKNOWN"),
        ("/a-b/c_d/", "a_b.c_d."),
    ],
)  # fmt: skip
def test_entity_names_follow_the_route(route: str | None, entity: str) -> None:
    assert entity_name(route) == entity


def test_a_snapshot_becomes_exactly_these_points(receiver: LoopbackReceiver) -> None:
    identity = Identity(
        ApplicationTags("Ordering", "styling", "us-west-1", "primary", [("env", "Staging")]), "h"
    )
    reporter = reporter_to(receiver, identity)
    made = snapshot(
        requests=[request_row("/a", 500, [0.5, 1.0], func="view")],
        in_flight=[InFlight("flask", "/a", "view", "GET", 3)],
        total_in_flight={"flask": 4},
        at_s=AT_S,
    )
    assert reporter.report(made) == 1
    reporter.close(10)
    at = AT_S + 1
    env, func = '"env"="Staging"', '"flask.func"="view"'
    levels = {
        "shard": FULL,
        "service": '"application"="Ordering" "cluster"="us-west-1" "service"="styling"',
        "cluster": '"application"="Ordering" "cluster"="us-west-1"',
        "application": '"application"="Ordering"',
    }
    source, per = 'source="h"', 'source="wavefront-provided"'
    response = "flask.response.a"
    expected = [
        f'"{response}.GET.500.cumulative.count" 2.0 {at} {source} {FULL} {func} {env}\n',
        f'"{response}.summary.GET.500.total_time.count" 1500.0 {at} {source} {FULL} {func} {env}\n',
        f'"{response}.GET.errors.count" 2.0 {at} {source} {FULL} {func} {env}\n',
        f'"flask.request.a.GET.inflight.value" 3.0 {at} {source} {FULL} {func} {env}\n',
        f'"flask.total_requests.inflight.value" 4.0 {at} {source} {FULL} {env}\n',
    ]
    for what in ("completed", "errors"):
        expected.append(
            f'"flask.response.{what}.aggregated_per_source.count" 2.0 {at} {source} {FULL} {env}\n'
        )
        expected += [
            f'"∆flask.response.{what}.aggregated_per_{level}.count" 2.0 {per} {tags} {env}\n'
            for level, tags in levels.items()
        ]
    expected += [
        f'"∆{response}.GET.500.aggregated_per_{level}.count" 2.0 {per} {tags} {func} {env}\n'
        for level, tags in levels.items()
    ]
    assert sorted(receiver.lines("wavefront")) == sorted(expected)


def test_histograms_are_sent_in_their_units_with_the_minute_they_began_in(
    receiver: LoopbackReceiver,
) -> None:
    reporter = reporter_to(receiver)
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.5])], at_s=AT_S))
    reporter.close(10)
    found = {
        match[3]: (int(match[1]), float(match[2]))
        for line in receiver.lines("histogram")
        if (match := re.match(r'!M (\d+) #1 (\S+) "([^"]+)" source="host-1" ', line))
    }
    assert found == {
        "flask.response.a.summary.GET.200.latency": (AT_S, pytest.approx(500.0)),
        "flask.response.a.summary.GET.200.cpu_ns": (AT_S, pytest.approx(0.125e9)),
        "flask.response.a.summary.GET.200.ttfb": (AT_S, pytest.approx(250.0)),
        "flask.response.a.GET.200.body_bytes": (AT_S, pytest.approx(1000.0)),
        "flask.request.a.GET.body_bytes": (AT_S, 0.0),
    }


def test_past_minutes_are_sent_with_a_report_and_the_current_one_when_flushed(
    receiver: LoopbackReceiver,
) -> None:
    reporter = reporter_to(receiver)
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.5])], at_s=AT_S))
    assert reporter.client.sender.waiting("histograms") == 0
    reporter.report(snapshot(at_s=AT_S + 60))
    assert reporter.client.sender.waiting("histograms") == 5
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.5])], at_s=AT_S + 61))
    assert reporter.flush(10)
    assert len(receiver.lines("histogram")) == 10
    reporter.close(1)


def test_routes_that_meet_on_the_wire_are_one_line_with_their_sum(
    receiver: LoopbackReceiver,
) -> None:
    reporter = reporter_to(receiver)
    rows = [request_row(route, 200, [0.1], func="view") for route in ("/a-b", "/a_b")]
    reporter.report(snapshot(requests=rows, at_s=AT_S))
    reporter.close(10)
    names = [line.split(" source=")[0] for line in receiver.lines()]
    assert len(names) == len(set(names))
    (line,) = [line for line in receiver.lines() if "200.cumulative" in line]
    assert line.split()[1] == "2.0"


def test_unset_levels_read_none_and_are_not_aggregated_per(receiver: LoopbackReceiver) -> None:
    reporter = reporter_to(receiver)
    reporter.report(snapshot(requests=[request_row("/a", 200, [0.1])], at_s=AT_S))
    reporter.close(10)
    text = "".join(receiver.lines())
    assert '"cluster"="none"' in text
    assert '"shard"="none"' in text
    assert "per_service" in text
    assert "per_application" in text
    assert "per_shard" not in text
    assert "per_cluster" not in text


def test_a_second_worker_is_told_apart_where_values_would_overwrite_each_other(
    receiver: LoopbackReceiver,
) -> None:
    # The process takes its slot after its reporters were made.
    reporter = reporter_to(receiver, PLAIN)
    points = [Point("own.gauge", 1, "gauge"), Point("∆own.count", 1, "delta")]
    made = snapshot(
        requests=[request_row("/a", 200, [0.1])],
        points=points,
        distributions=[MinuteDistribution("own.times", AT_S, histogram([1.0]))],
        at_s=AT_S,
        identity=replace(PLAIN, worker_slot=2),
    )
    reporter.report(made)
    reporter.close(10)
    for line in receiver.lines():
        assert ('"worker"="2"' in line) is ("∆" not in line), line


def test_metrics_of_registries_carry_the_applications_tags_and_the_host(
    receiver: LoopbackReceiver,
) -> None:
    reporter = reporter_to(receiver)
    made = snapshot(
        points=[
            Point("cart.size.value", 3, "gauge", (("shop", "north"),)),
            Point("∆cart.count", 2, "delta"),
        ],
        distributions=[MinuteDistribution("cart.times", AT_S, histogram([2.0]))],
        at_s=AT_S,
    )
    assert reporter.report(made) == 3
    reporter.close(10)
    gauge, delta = receiver.lines("wavefront")
    (times,) = receiver.lines("histogram")
    assert gauge.startswith(f'"cart.size.value" 3.0 {AT_S + 1} source="host-1" ')
    assert '"shop"="north"' in gauge
    assert delta.startswith('"∆cart.count" 2.0 source="host-1" ')
    assert times.startswith(f'!M {AT_S} #1 2 "cart.times" source="host-1" ')
    assert all('"service"="styling"' in line for line in (gauge, delta, times))


def test_a_blank_custom_tag_is_left_out_instead_of_spoiling_every_line(
    receiver: LoopbackReceiver,
) -> None:
    tags = ApplicationTags("Ordering", "styling", custom_tags=[("env", ""), ("zone", "b")])
    reporter = reporter_to(receiver, Identity(tags, "host-1"))
    made = snapshot(
        requests=[request_row("/a", 200, [0.1])], points=[Point("g", 1, "gauge")], at_s=AT_S
    )
    reporter.report(made)
    reporter.close(10)
    assert receiver.lines()
    assert all('"env"' not in line and '"zone"="b"' in line for line in receiver.lines())


def test_what_a_full_client_refuses_is_counted_and_deltas_are_made_up_for(
    receiver: LoopbackReceiver,
) -> None:
    # Nothing leaves the buffer meanwhile.
    receiver.answer = lambda _: Answer(503)
    reporter = reporter_to(receiver, max_queue_size=1)
    reporter.client.send_metric("first", 1, None, "s", None)
    made = snapshot(
        points=[Point("∆a.count", 2, "delta"), Point("g", 1, "gauge")],
        distributions=[MinuteDistribution("h1", AT_S, histogram([1.0])),
                       MinuteDistribution("h2", AT_S, histogram([1.0]))],
        at_s=AT_S,
    )  # fmt: skip
    reporter.report(made)
    assert reporter.refused == 2
    receiver.answer = lambda _: Answer()
    for tick in range(1, 5):
        reporter.client.flush_now()
        reporter.report(snapshot(at_s=AT_S + 60 * tick))
    reporter.close(10)
    lines = receiver.lines()
    assert [line.split()[1] for line in lines if "a.count" in line] == ["2.0"]
    assert sorted(re.findall(r'"(h\d)"', "".join(lines))) == ["h1", "h2"]


def test_spans_leave_with_uuids_of_their_ids(receiver: LoopbackReceiver) -> None:
    reporter = reporter_to(receiver)
    one = replace(span("view", 0xABC, start_s=AT_S), parents=((0xABC, 7),), span_id=0xF)
    assert reporter.report(snapshot(spans=[one], at_s=AT_S)) == 1
    reporter.close(10)
    (line,) = receiver.lines("trace")
    assert line.startswith(
        '"view" source="host-1" traceId=00000000-0000-0000-0000-000000000abc '
        "spanId=00000000-0000-0000-0000-00000000000f "
        "parent=00000000-0000-0000-0000-000000000007 "
    )
    assert line.endswith(f" {AT_S}000 10\n")


def test_a_closed_reporter_refuses_and_counts_without_raising(receiver: LoopbackReceiver) -> None:
    reporter = reporter_to(receiver)
    reporter.close(1)
    reporter.close(1)
    assert reporter.report(snapshot(points=[Point("g", 1, "gauge")], at_s=AT_S)) == 0
    assert reporter.refused == 1
    with pytest.raises(queue.Full, match="closed"):
        reporter.client.send_metric("m", 1, None, "s", None)


def test_dimensions_are_tags_of_the_routes_series_and_not_of_totals(
    receiver: LoopbackReceiver,
) -> None:
    reporter = reporter_to(receiver)
    row = request_row("/a", 200, [0.5], func="view")
    mine = (("tenant", "north"), ("application", "other"), ("host", "h2"))
    key = replace(row.key, dimensions=mine)
    reporter.report(snapshot(requests=[replace(row, key=key)], at_s=AT_S))
    assert reporter.flush(5)
    lines = {line.split(" ")[0]: line for line in receiver.lines()}
    own = lines['"flask.response.a.GET.200.cumulative.count"']
    assert '"tenant"="north" "_application"="other" "_host"="h2"' in own
    assert '"application"="Ordering"' in own
    assert "tenant" in lines['"∆flask.response.a.GET.200.aggregated_per_service.count"']
    totals = [line for name, line in lines.items() if "response.completed." in name]
    assert totals
    assert not any("tenant" in line for line in totals)
