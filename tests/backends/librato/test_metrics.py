"""Submitting, listing, reading, changing and deleting metrics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.backends.librato import Counter, Gauge, Metric, exceptions, sanitize_metric_name

if TYPE_CHECKING:
    from librato_service import LibratoService
    from wf_instrument.backends.librato import LibratoConnection

TAGGED = ("POST", "measurements")
LEGACY = ("POST", "metrics")


def fill(service: LibratoService, count: int, name: str = "m{}") -> None:
    for number in range(count):
        made = name.format(number)
        service.metrics[made] = {"name": made, "type": "gauge", "period": None, "attributes": {}}


def test_a_gauge_goes_with_all_its_fields(service: LibratoService, api: LibratoConnection) -> None:
    api.submit("a", 1, source="x", measure_time=5, description="d")
    assert service.took(*LEGACY)[0].body == {
        "gauges": [{"name": "a", "value": 1, "source": "x", "measure_time": 5, "description": "d"}],
        "counters": [],
    }


def test_a_counter_goes_among_the_counters(service: LibratoService, api: LibratoConnection) -> None:
    api.submit("connections", 20, type="counter", description="server connections")
    assert [kind for kind, _ in service.points] == ["counters"]


@pytest.mark.parametrize("kind", ["guage", "", "gauges"])
def test_an_unknown_type_is_refused_before_anything_is_sent(
    service: LibratoService, api: LibratoConnection, kind: str
) -> None:
    with pytest.raises(ValueError, match="'gauge' or 'counter'"):
        api.submit("a", 1, type=kind)
    assert service.calls == []


def test_a_counter_with_tags_is_refused_instead_of_losing_its_type(
    service: LibratoService, api: LibratoConnection
) -> None:
    with pytest.raises(ValueError, match="'counter' and there are tags"):
        api.submit("a", 1, type="counter", tags={"x": "y"})
    api.add_tags({"x": "y"})
    with pytest.raises(ValueError, match="'counter' and there are tags"):
        api.submit("a", 1, type="counter")
    assert service.calls == []


@pytest.mark.parametrize(
    ("connection_tags", "arguments", "tags"),
    [
        ({}, {"tags": {"x": "y"}}, {"x": "y"}),
        ({"c": "1"}, {}, {"c": "1"}),
        ({"c": "1"}, {"tags": {"x": "y"}}, {"x": "y"}),
        ({"c": "1", "x": "0"}, {"tags": {"x": "y"}, "inherit_tags": True}, {"c": "1", "x": "y"}),
        ({"c": "1"}, {"tags": {"x": "y"}, "inherit_tags": False}, {"x": "y"}),
        ({"c": "1"}, {"tags": {}}, {}),
        ({"c": "1"}, {"inherit_tags": True}, {"c": "1"}),
    ],
)
def test_a_measurement_has_the_tags_that_the_nearest_says(
    service: LibratoService,
    api: LibratoConnection,
    connection_tags: dict[str, str],
    arguments: dict[str, Any],
    tags: dict[str, str],
) -> None:
    api.set_tags(connection_tags)
    api.submit("a", 1, time=9, **arguments)
    api.submit_tagged("a", 1, time=9, **arguments)
    item = {"name": "a", "value": 1, "tags": tags, "time": 9}
    assert [one.body for one in service.took(*TAGGED)] == [{"measurements": [item]}] * 2
    assert api.get_tags() == connection_tags


def test_inherit_tags_is_never_sent(service: LibratoService, api: LibratoConnection) -> None:
    api.submit("a", 1, inherit_tags=True)
    assert service.took(*LEGACY)[0].body["gauges"] == [{"name": "a", "value": 1}]


def test_tags_in_a_payload_are_a_copy(api: LibratoConnection) -> None:
    api.add_tags({"a": "1"})
    payload = api.create_tagged_payload("m", 1)
    payload["tags"]["b"] = "2"
    assert (payload["name"], payload["value"]) == ("m", 1)
    assert api.get_tags() == {"a": "1"}


def test_a_summary_goes_without_a_value(service: LibratoService, api: LibratoConnection) -> None:
    api.submit("a", None, count=2, sum=5, min=1, max=4, tags={"x": "y"})
    assert "value" not in service.measurements[0]
    with pytest.raises(ValueError, match="has no value"):
        api.submit("a", None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "many", None, 10**400])
def test_what_is_no_finite_number_is_refused(
    service: LibratoService, api: LibratoConnection, value: Any
) -> None:
    with pytest.raises(ValueError, match="'a'"):
        api.submit("a", value)
    with pytest.raises(ValueError, match="'a'"):
        api.submit("a", None, count=1, sum=value if value is not None else math.nan)
    assert service.calls == []


def test_names_are_sanitized_wherever_one_is_given(service: LibratoService) -> None:
    api = service.connect(sanitizer=sanitize_metric_name)
    api.submit("a b", 1, measure_time=10)
    api.submit("a b", 1, tags={"x": "y"})
    api.update("a b", description="d")
    assert api.get("a b").name == "a-b"
    assert api.get_tagged("a b", duration=60)["name"] == "a-b"
    api.create_composite("c d", "s()")
    api.delete(["a b", "c d"])
    assert service.metrics == {}


def test_metrics_are_listed_page_by_page(service: LibratoService, api: LibratoConnection) -> None:
    fill(service, 12)
    names = [metric.name for metric in api.list_all_metrics(length=5)]
    assert names == [f"m{number}" for number in range(12)]
    assert [one.query.get("offset") for one in service.calls] == [None, ["5"], ["10"]]


def test_list_metrics_gives_all_of_them_beyond_one_page(
    service: LibratoService, api: LibratoConnection
) -> None:
    fill(service, 250)
    listed = api.list_metrics()
    assert service.calls == []
    assert len([metric.name for metric in listed]) == 250
    assert (len(listed), listed[249].name, listed[-1].name) == (250, "m249", "m249")
    assert [one.name for one in listed[1:3]] == ["m1", "m2"]
    assert len(service.calls) == 3


def test_a_filtered_listing_ends_with_what_was_found(
    service: LibratoService, api: LibratoConnection
) -> None:
    fill(service, 150)
    fill(service, 3, "cpu{}")
    assert len(list(api.list_metrics(name="CPU"))) == 3
    assert len(service.calls) == 1


@pytest.mark.slow
def test_a_listing_of_a_thousand_pages_ends(
    service: LibratoService, api: LibratoConnection
) -> None:
    fill(service, 1200)
    assert len(list(api.list_metrics(length=1))) == 1200


def test_a_listing_can_begin_at_a_text_of_an_offset_and_be_taken_one_by_one(
    service: LibratoService, api: LibratoConnection
) -> None:
    fill(service, 7)
    listed = api.list_metrics(offset="2", length=2)
    assert next(listed).name == "m2"
    assert [one.name for one in listed] == ["m2", "m3", "m4", "m5", "m6"]


@pytest.mark.parametrize("body", [None, {"query": {}, "others": []}, []])
def test_a_page_of_another_form_is_told(
    service: LibratoService, api: LibratoConnection, body: object
) -> None:
    service.fail(200, body=body)
    with pytest.raises(exceptions.BadAnswer, match="metrics"):
        list(api.list_metrics())


def test_a_page_that_counts_to_infinity_is_the_last(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.fail(200, body={"query": {"found": math.inf, "length": math.nan}, "metrics": []})
    assert list(api.list_metrics()) == []


def test_a_metric_is_read_as_what_it_is(service: LibratoService, api: LibratoConnection) -> None:
    api.submit("t", 10, description="at home", measure_time=100)
    api.submit("t", 11, source="sf", measure_time=100)
    api.submit("c", 1, type="counter")
    service.metrics["t"]["attributes"] = {"display_min": 0}
    gauge = api.get("t")
    assert (type(gauge), gauge.description, gauge.measurements) == (Gauge, "at home", {})
    assert (gauge["display_min"], gauge.get("x", 5), repr(gauge)) == (0, 5, "Gauge<t>")
    gauge = api.get("t", count=1, resolution=1)
    assert {source: [p["value"] for p in ps] for source, ps in gauge.measurements.items()} == {
        "unassigned": [10], "sf": [11],
    }  # fmt: skip
    counter = api.get("c")
    assert isinstance(counter, Counter)
    assert counter.what_am_i() == "counters"


def test_a_composite_can_be_read(service: LibratoService, api: LibratoConnection) -> None:
    api.create_composite("humidity", 'sum(s("all.*", "*"))', description="a test")
    composite = api.get("humidity")
    assert (composite.composite, composite.description) == ('sum(s("all.*", "*"))', "a test")


def test_no_field_of_a_metric_is_lost(api: LibratoConnection) -> None:
    data = {"name": "x", "type": "new", "display_name": "X", "resolution": 60, "more": 1}
    metric = Metric.from_dict(api, data)
    assert (metric.properties, metric.display_name, metric.resolution) == (data, "X", 60)
    assert metric.attributes == {}


def test_an_answer_cut_short_is_read_on(service: LibratoService, api: LibratoConnection) -> None:
    for at_s in (10, 20, 30):
        api.submit("t", at_s, measure_time=at_s)
    service.next_time = 20
    metric = api.get("t", start_time=1)
    assert [point["value"] for point in metric.measurements["unassigned"]] == [10, 20, 30]


def test_a_metric_object_takes_values(service: LibratoService, api: LibratoConnection) -> None:
    gauge, counter = Gauge(api, "g"), Counter(api, "c")
    gauge.add(1, source="s", measure_time=5)
    counter.add(2)
    assert gauge.what_am_i() == "gauges"
    assert service.points[0] == (
        "gauges", {"name": "g", "value": 1, "source": "s", "measure_time": 5},
    )  # fmt: skip
    assert service.points[1][0] == "counters"


def test_tagged_measurements_are_read_by_tags(
    service: LibratoService, api: LibratoConnection
) -> None:
    for region in ("us", "eu"):
        api.submit("m", 1, tags={"region": region}, time=5)
    answer = api.get_tagged("m", start_time=1, tags={"region": "us"})
    assert [one["tags"] for one in answer["series"]] == [{"region": "us"}]
    assert service.calls[-1].query["resolution"] == ["1"]
    assert api.get_measurements("m", duration=60, tags_search="region=*")["name"] == "m"


def test_tagged_measurements_are_read_to_the_last_page_from_the_same_host(
    service: LibratoService, api: LibratoConnection
) -> None:
    service.page_size = 1
    for region in ("a", "b", "c"):
        api.submit("m", 1, tags={"region": region}, time=5)
    answer = api.get_tagged("m", start_time=1)
    assert [one["tags"]["region"] for one in answer["series"]] == ["a", "b", "c"]
    assert answer["links"] == []


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"end_time": 5},
        {"start_time": 1, "end_time": 2, "duration": 3},
        {"duration": 1, "tags": {"a": "b"}, "tags_search": "a=b"},
    ],
)
def test_tagged_measurements_of_no_time_are_refused(
    api: LibratoConnection, query: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="give"):
        api.get_tagged("m", **query)


def test_composites_are_read_with_and_without_tags(
    service: LibratoService, api: LibratoConnection
) -> None:
    answer = api.get_composite('s("a", "*")', start_time=5)
    assert answer["measurements"][0]["series"][0]["value"] == 41.25
    assert service.calls[-1].query["resolution"] == ["1"]
    assert api.get_composite_tagged('s("a", "*")', start_time=5)["series"]
    api.add_tags({"a": "b"})
    assert api.get_composite('s("a", "*")', start_time=5, resolution=60)["series"]
    assert [one.path for one in service.calls] == ["metrics", "measurements", "measurements"]
    with pytest.raises(ValueError, match="start_time"):
        api.get_composite('s("a", "*")', duration=60)


def test_a_metric_is_changed_and_created_by_update(
    service: LibratoService, api: LibratoConnection
) -> None:
    assert api.update("new", type="gauge")["name"] == "new"
    assert api.update("new", attributes={"color": "#ffffff"}) is None
    assert service.metrics["new"]["attributes"] == {"color": "#ffffff"}


def test_many_metrics_are_changed_at_once(service: LibratoService, api: LibratoConnection) -> None:
    fill(service, 3)
    assert api.update_many(["m0", "m1"], period=60) is None
    job = api.update_matching("m*", display_name="x")
    assert job is not None
    assert (job.id, api.get_job(job).is_over) == ("123", True)
    assert [one["period"] for one in service.metrics.values()] == [60, 60, None]
    assert all(one["display_name"] == "x" for one in service.metrics.values())
    assert api.update_many([], period=1) is None


def test_metrics_are_deleted_by_name_by_list_and_none_by_an_empty_list(
    service: LibratoService, api: LibratoConnection
) -> None:
    fill(service, 4)
    api.delete("m0")
    api.delete(["m1", "m2"])
    api.delete([])
    assert list(service.metrics) == ["m3"]
    assert len(service.calls) == 2
    assert service.calls[0].body is None


def test_a_pattern_deletes_only_where_it_is_asked_for(service: LibratoService) -> None:
    api = service.connect(sanitizer=sanitize_metric_name)
    fill(service, 2)
    service.metrics["m-"] = {"name": "m-", "type": "gauge"}
    for names in ("m*", ["m0", "m*"]):
        with pytest.raises(ValueError, match="delete_matching"):
            api.delete(names)
    assert len(service.metrics) == 3
    job = api.delete_matching("m*")
    assert (job is not None, service.metrics) == (True, {})


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a$$b[]c é", "a-b-c-"),
        ("x" * 500, "x" * 255),
        ("ok.:-_9", "ok.:-_9"),
        ("\n\t", "-"),
    ],
)
def test_a_name_is_sanitized_to_exactly_this(name: str, clean: str) -> None:
    assert sanitize_metric_name(name) == clean


def test_by_default_names_stay_as_they_are(service: LibratoService, api: LibratoConnection) -> None:
    with pytest.raises(exceptions.BadRequest, match="name"):
        api.submit("a$$b", 1)
