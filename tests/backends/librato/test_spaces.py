"""Spaces, charts and streams: nothing that the service knows is lost by loading and saving."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.backends.librato import Chart, Space, Stream, exceptions

if TYPE_CHECKING:
    from librato_service import LibratoService
    from wf_instrument.backends.librato import LibratoConnection

#: A chart with every field of the reference, and one nobody has heard of.
FULL: dict[str, Any] = {
    "name": "all", "type": "bignumber", "min": 0, "max": 50, "label": "ms",
    "use_log_yaxis": False, "use_last_value": True, "related_space": 1234,
    "thresholds": [{"operator": ">", "value": 90, "type": "red"}], "enable_format": True,
    "streams": [
        {
            "id": 7, "metric": "m", "source": None, "name": "n", "type": "gauge",
            "tags": [{"name": "env", "values": ["*"], "grouped": True, "dynamic": True}],
            "group_function": "sum", "summary_function": "max", "transform_function": "x*2",
            "downsample_function": "min", "period": 60, "split_axis": True,
            "gap_detection": True, "min": 1, "max": 2, "units_short": "ms",
            "units_long": "milliseconds", "color": "#ffffff", "position": 3,
            "composite_function": "x", "brand_new": {"a": [1]},
        },
        {"id": 8, "composite": 's("foo", "*")', "color": None},
        {"id": 9, "metric": "legacy", "source": "web-*"},
    ],
}  # fmt: skip


def stored(service: LibratoService, space: Space, full: dict[str, Any]) -> dict[str, Any]:
    """Put a chart into the service as another program would have."""
    assert isinstance(space.id, int)
    chart = {**copy.deepcopy(full), "id": 777}
    service.charts[space.id][777] = chart
    return chart


def test_spaces_are_listed_found_read_renamed_and_deleted(
    service: LibratoService, api: LibratoConnection
) -> None:
    for name in ("Production", "production-old", "Test"):
        api.create_space(name)
    assert [one.name for one in api.list_spaces()] == ["Production", "production-old", "Test"]
    found = api.find_space("PRODUCTION")
    assert found is not None
    assert (found.name, found.persisted(), repr(found)) == ("Production", True, "Space<Production>")
    assert api.find_space("prod") is None
    with pytest.raises(ValueError, match="get_space"):
        api.find_space(1)  # type: ignore[arg-type]
    assert found.id is not None
    found.rename("Live")
    assert api.get_space(found.id).name == "Live"
    found.delete()
    with pytest.raises(exceptions.NotFound):
        api.get_space(found.id)


def test_a_space_of_the_very_name_is_found_before_one_in_another_case(
    api: LibratoConnection,
) -> None:
    api.create_space("LIVE")
    second = api.create_space("live")
    found = api.find_space("live")
    assert found is not None
    assert found.id == second.id


def test_a_space_can_be_for_tagged_metrics(service: LibratoService, api: LibratoConnection) -> None:
    space = Space(api, "s", tags=True)
    created = space.save()
    assert (created.id, created.tags) == (space.id, True)
    assert next(iter(service.spaces.values()))["tags"] is True


def test_a_space_keeps_every_field_when_it_is_loaded_and_saved(
    service: LibratoService, api: LibratoConnection
) -> None:
    before = {"id": 1, "name": "s", "tags": True, "theme": "dark", "nothing": None}
    service.spaces[1], service.charts[1] = dict(before), {}
    api.get_space(1).save()
    assert service.spaces[1] == before


def test_a_chart_keeps_every_field_when_it_is_loaded_and_saved(
    service: LibratoService, api: LibratoConnection
) -> None:
    space = api.create_space("s")
    before = copy.deepcopy(stored(service, space, FULL))
    for load in (lambda: api.get_chart(777, space), lambda: space.charts()[0]):
        load().save()
        assert isinstance(space.id, int)
        assert service.charts[space.id][777] == before
    api.get_chart(777, space).rename("other")
    assert service.charts[space.id][777] == {**before, "name": "other"}
    assert service.refusals == []


def test_a_chart_that_was_created_keeps_every_field_too(
    service: LibratoService, api: LibratoConnection
) -> None:
    space = api.create_space("s")
    fields = {key: value for key, value in copy.deepcopy(FULL).items() if key != "name"}
    chart = api.create_chart("all", space, **fields)
    assert isinstance(space.id, int)
    assert isinstance(chart.id, int)
    before = copy.deepcopy(service.charts[space.id][chart.id])
    chart.save()
    assert service.charts[space.id][chart.id] == before == {**FULL, "id": chart.id}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    more=st.dictionaries(st.from_regex(r"x_[a-z]{1,6}", fullmatch=True), JSON, max_size=4),
    stream=st.dictionaries(st.from_regex(r"x_[a-z]{1,6}", fullmatch=True), JSON, max_size=4),
)
def test_whatever_field_a_chart_has_it_keeps(
    api: LibratoConnection, more: dict[str, Any], stream: dict[str, Any]
) -> None:
    data = {"name": "c", "type": "line", "streams": [{"metric": "m", **stream}], **more}
    payload = Chart.from_dict(api, {**data, "id": 1, "space_id": 2}).get_payload()
    streams = payload.pop("streams")
    data.pop("streams")
    assert payload == data
    assert streams == [{"metric": "m", **stream}]


def test_charts_of_every_type_are_made(service: LibratoService, api: LibratoConnection) -> None:
    space = api.create_space("s")
    streams = [Stream("a"), {"metric": "b", "source": "x"}, ("c", "y")]
    space.add_line_chart("line", streams)
    space.add_stacked_chart("stacked", [{"metric": "a"}])
    space.add_single_line_chart("single", "m", "web", "sum", "max")
    space.add_single_stacked_chart("single stacked", "m")
    space.add_bignumber_chart("big", "m")
    space.add_chart("empty")
    assert isinstance(space.id, int)
    made = [
        (
            one["name"],
            one["type"],
            [{k: v for k, v in s.items() if k != "id"} for s in one["streams"]],
        )
        for one in service.charts[space.id].values()
    ]
    assert made == [
        ("line", "line", [
            {"metric": "a", "source": "*"}, {"metric": "b", "source": "x"},
            {"metric": "c", "source": "y"},
        ]),
        ("stacked", "stacked", [{"metric": "a", "source": "*"}]),
        ("single", "line", [
            {"metric": "m", "source": "web", "group_function": "sum", "summary_function": "max"},
        ]),
        ("single stacked", "stacked", [{"metric": "m", "source": "*"}]),
        ("big", "bignumber", [
            {"metric": "m", "source": "*", "group_function": "average",
             "summary_function": "average"},
        ]),
        ("empty", "line", []),
    ]  # fmt: skip
    assert list(service.charts[space.id].values())[4]["use_last_value"] is True


def test_a_false_is_saved_and_an_unset_field_is_not(
    service: LibratoService, api: LibratoConnection
) -> None:
    chart = api.create_space("s").add_chart("c", use_log_yaxis=False)
    assert chart.get_payload() == {
        "name": "c", "type": "line", "streams": [], "use_log_yaxis": False,
    }  # fmt: skip
    assert "min" in chart.known_attributes()


def test_a_chart_is_saved_with_one_request(service: LibratoService, api: LibratoConnection) -> None:
    space = api.create_space("s")
    chart = space.new_chart("c", thresholds=[{"operator": ">", "value": 1, "type": "red"}])
    assert not chart.persisted()
    created = chart.save()
    chart.min = 5
    chart.save()
    assert [one.method for one in service.calls] == ["POST", "POST", "PUT"]
    assert (created.id, chart.space().name) == (chart.id, "s")


def test_charts_are_found_updated_and_deleted(
    service: LibratoService, api: LibratoConnection
) -> None:
    space = api.create_space("s")
    chart = space.add_chart("CPU")
    assert chart.id is not None
    found = api.find_chart("cpu", space)
    assert found is not None
    assert (found.id, api.find_chart("none", space)) == (chart.id, None)
    assert space.id is not None
    for where in (space, space.id, str(space.id)):
        assert api.get_chart(chart.id, where).name == "CPU"
    api.update_chart(chart, space, min=3)
    assert api.get_chart(chart.id, space).min == 3
    api.delete_chart(chart.id, space.id)
    assert api.list_charts_in_space(space) == []


def test_what_was_not_saved_is_told(api: LibratoConnection) -> None:
    with pytest.raises(ValueError, match="in no space"):
        Chart(api, "c").save()
    with pytest.raises(ValueError, match="not saved"):
        Chart(api, "c", space_id=1).delete()
    with pytest.raises(ValueError, match="not saved"):
        Space(api, "s").delete()


def test_a_space_knows_the_charts_that_were_added(
    service: LibratoService, api: LibratoConnection
) -> None:
    space = api.create_space("s")
    assert space.charts() == []
    space.add_chart("one")
    assert [one.name for one in space.charts()] == ["one"]
    space.add_chart("two")
    assert [one.name for one in space.charts()] == ["one", "two"]
    assert len(service.took("GET", f"spaces/{space.id}/charts")) == 1
    space.charts().clear()
    assert len(space.charts()) == 2
    assert len(space.chart_ids) == 2


def test_defaults_are_not_shared() -> None:
    first = Chart(None, "a")  # type: ignore[arg-type]
    first.new_stream("m")
    assert Chart(None, "b").streams == []  # type: ignore[arg-type]


def test_a_composite_has_no_source_and_neither_has_a_stream_with_tags() -> None:
    assert Stream(composite='s("a", "*")').get_payload() == {"composite": 's("a", "*")'}
    assert Stream("m", composite="s()").get_payload() == {"composite": "s()"}
    tags = [{"name": "env", "values": ["*"], "grouped": True}]
    assert Stream("m", tags=tags).get_payload() == {"metric": "m", "tags": tags}
    stream = Stream("m", extra=1)
    assert (stream.extra, stream.tags) == (1, None)
    with pytest.raises(AttributeError, match="'colour'"):
        _ = stream.colour
