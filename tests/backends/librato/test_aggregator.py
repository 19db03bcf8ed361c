"""Values added up before they are sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from wf_instrument.backends.librato import Aggregator, exceptions, sanitize_metric_name

if TYPE_CHECKING:
    from librato_service import LibratoService
    from wf_instrument.backends.librato import LibratoConnection


def test_count_sum_least_and_greatest_are_kept_by_metric(api: LibratoConnection) -> None:
    aggregator = Aggregator(api)
    aggregator.add("a", 42)
    assert aggregator.add("a", 5) == {"a": {"count": 2, "sum": 47, "min": 5, "max": 42}}
    assert aggregator.add_tagged("a", -1) == {"a": {"count": 1, "sum": -1, "min": -1, "max": -1}}


def test_both_payloads_have_what_the_aggregator_was_given(api: LibratoConnection) -> None:
    aggregator = Aggregator(
        api, source="mysource", tags={"a": "b"}, period=60, measure_time=1418838418
    )
    aggregator.add("test.metric", 42)
    aggregator.add("test.metric", 43)
    aggregator.add_tagged("tagged", 1)
    summary = {"name": "test.metric", "count": 2, "sum": 85, "min": 42, "max": 43}
    assert aggregator.to_payload() == {
        "gauges": [summary], "source": "mysource", "measure_time": 1418838360,
    }  # fmt: skip
    assert aggregator.to_md_payload() == {
        "measurements": [{"name": "tagged", "count": 1, "sum": 1, "min": 1, "max": 1}],
        "tags": {"a": "b"},
        "time": 1418838360,
    }
    assert Aggregator(api).to_payload() == {"gauges": []}
    assert Aggregator(api).to_md_payload() == {"measurements": []}


@pytest.mark.parametrize(
    ("period", "measure_time", "expected"),
    [(60, 1418838418, 1418838360), (None, 1418838418, 1418838418), (0, 7, 7), (None, None, None)],
)
def test_the_time_is_cut_down_to_the_period(
    api: LibratoConnection, period: int | None, measure_time: int | None, expected: int | None
) -> None:
    aggregator = Aggregator(api, period=period, measure_time=measure_time)
    assert aggregator.floor_measure_time() == aggregator.get_measure_time() == expected


def test_without_a_time_the_period_cuts_down_now(api: LibratoConnection) -> None:
    at_s = Aggregator(api, period=60).floor_measure_time()
    assert at_s is not None
    assert at_s % 60 == 0
    assert 0 <= time.time() - at_s < 61


def test_a_given_time_lasts_for_more_than_one_submit(
    service: LibratoService, api: LibratoConnection
) -> None:
    aggregator = Aggregator(api, measure_time=100)
    for value in (1, 2):
        aggregator.add("m", value)
        aggregator.submit()
    assert [one["measure_time"] for _, one in service.points] == [100, 100]


def test_submitting_sends_both_kinds_and_begins_anew(
    service: LibratoService, api: LibratoConnection
) -> None:
    aggregator = Aggregator(api, tags={"a": "b"})
    aggregator.add("m", 1)
    aggregator.add_tagged("m", 1)
    aggregator.submit()
    aggregator.submit()
    assert [one.path for one in service.calls] == ["metrics", "measurements"]
    aggregator.add("m", 1)
    aggregator.clear()
    aggregator.submit()
    assert len(service.calls) == 2


def test_tagged_summaries_have_the_connections_tags_too(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.add_tags({"env": "prod", "a": "connection"})
    aggregator = Aggregator(api, tags={"a": "own"})
    aggregator.add_tagged("m", 1)
    aggregator.submit()
    assert service.measurements[0]["tags"] == {"env": "prod", "a": "own"}


def test_more_metrics_than_a_chunk_go_in_several(
    service: LibratoService, api: LibratoConnection
) -> None:
    aggregator = Aggregator(api, source="s", measure_time=5)
    for number in range(700):
        aggregator.add(f"m{number}", 1)
    aggregator.submit()
    assert [len(one.body["gauges"]) for one in service.calls] == [300, 300, 100]
    assert {(one["source"], one["measure_time"]) for _, one in service.points} == {("s", 5)}


def test_names_are_sanitized_and_values_checked(service: LibratoService) -> None:
    aggregator = Aggregator(service.connect(sanitizer=sanitize_metric_name))
    assert list(aggregator.add("a b", 1)) == ["a-b"]
    with pytest.raises(ValueError, match="finite"):
        aggregator.add("a", float("inf"))


@pytest.mark.slow
def test_after_a_failure_only_the_rest_is_sent_again_with_its_time(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.deadline = 2
    aggregator = Aggregator(api, period=60, tags={"a": "b"})
    aggregator.add("m", 1)
    aggregator.add_tagged("t", 1)
    service.fail(503, when=lambda call: call.path == "measurements")
    # The deadline may fall into a try, whose answer is then not waited for.
    with pytest.raises((exceptions.ServerError, exceptions.TimedOut)) as caught:
        aggregator.submit()
    assert caught.value.delivery is not None
    assert (caught.value.delivery.delivered, caught.value.delivery.waiting) == (1, 1)
    failed = service.took("POST", "measurements")[0].body
    service.failures.clear()
    aggregator.add_tagged("t", 2)
    aggregator.submit()
    assert len(service.points) == 1
    assert service.took("POST", "measurements")[-2].body == failed
    assert [one["sum"] for one in service.measurements] == [1, 2]


def test_a_queue_takes_an_aggregator_over_with_all_tags(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.add_tags({"env": "prod"})
    queue = api.new_queue(tags={"q": "q", "a": "q"})
    aggregator = Aggregator(api, source="src", tags={"a": "own"}, measure_time=9)
    aggregator.add("m", 4)
    aggregator.add_tagged("t", 5)
    queue.add_aggregator(aggregator)
    queue.add_aggregator(aggregator)
    queue.submit()
    summary = {"count": 1, "sum": 4, "min": 4, "max": 4}
    assert service.points == [
        ("gauges", {"name": "m", **summary, "source": "src", "measure_time": 9})
    ]
    (tagged,) = service.measurements
    assert (tagged["tags"], tagged["time"]) == ({"env": "prod", "q": "q", "a": "own"}, 9)


def test_aggregator_tags_are_copied_replaced_and_merged(api: LibratoConnection) -> None:
    aggregator = Aggregator(api, tags={"a": "1"})
    aggregator.get_tags()["b"] = "2"
    aggregator.add_tags({"c": "3"})
    assert aggregator.get_tags() == {"a": "1", "c": "3"}
    aggregator.set_tags({"d": "4"})
    assert (aggregator.get_tags(), Aggregator(api).get_tags()) == ({"d": "4"}, {})
