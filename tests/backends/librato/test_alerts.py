"""Alerts, conditions, services and annotations."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.backends.librato import Alert, Annotation, Condition, Service, exceptions

if TYPE_CHECKING:
    from librato_service import LibratoService
    from wf_instrument.backends.librato import LibratoConnection

ABOVE = {"metric_name": "cpu", "type": "above", "threshold": 42}


def only(service: LibratoService) -> dict[str, Any]:
    (alert,) = service.alerts.values()
    return alert


def test_an_alert_is_created_with_everything(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.create_alert(
        "my.alert",
        description="d",
        conditions=[ABOVE, Condition("mem").below(1).duration(120)],
        services=[849, "1234", Service("5678")],
        attributes={"runbook_url": "http://x"},
        rearm_seconds=120,
        active=False,
    )
    alert = only(service)
    assert [one["id"] for one in alert["services"]] == ["849", "1234", "5678"]
    assert [(one["type"], one["threshold"]) for one in alert["conditions"]] == [
        ("above", 42), ("below", 1),
    ]  # fmt: skip
    assert (alert["attributes"], alert["rearm_seconds"]) == ({"runbook_url": "http://x"}, 120)
    assert (alert["active"], alert["md"], alert["description"]) == (False, False, "d")


def test_what_the_answer_of_a_creation_leaves_out_is_not_lost_by_the_next_save(
    service: LibratoService, api: LibratoConnection
) -> None:
    alert = api.create_alert("a", conditions=[ABOVE], services=["849"])
    alert.save()
    assert len(only(service)["conditions"]) == 1
    assert len(only(service)["services"]) == 1


def test_an_alert_keeps_every_field_when_it_is_loaded_and_saved(
    service: LibratoService, api: LibratoConnection
) -> None:
    tags = [{"name": "env", "grouped": True, "values": ["prod"]}]
    service.alerts[5] = before = {
        "id": 5, "name": "a", "version": 2, "md": True, "description": None, "active": True,
        "rearm_seconds": 600, "attributes": {"runbook_url": "http://x"}, "brand_new": [1],
        "services": [service.services["849"]],
        "conditions": [
            {"id": 9, "type": "above", "metric_name": "m", "source": None, "tags": tags,
             "threshold": 1.5, "summary_function": "sum", "duration": 60, "detect_reset": False,
             "more": {"a": 1}},
            {"id": 10, "type": "absent", "metric_name": "m", "source": None, "tags": tags,
             "summary_function": None, "duration": 300},
        ],
    }  # fmt: skip
    expected = copy.deepcopy(before)
    for load in (lambda: api.get_alert("a"), lambda: api.list_alerts()[0]):
        alert = load()
        assert alert is not None
        alert.save()
        assert service.alerts[5] == expected
    assert service.refusals == []


def test_exactly_this_alert_is_read_and_deleted_and_none_with_a_name_like_it(
    service: LibratoService, api: LibratoConnection
) -> None:
    for name in ("production.cpu", "cpu", "cpu.idle"):
        api.create_alert(name, conditions=[ABOVE])
    found = api.get_alert("cpu")
    assert found is not None
    assert found.name == "cpu"
    assert api.get_alert("pu") is None
    api.delete_alert("pu")
    api.delete_alert("cpu")
    assert [one["name"] for one in service.alerts.values()] == ["production.cpu", "cpu.idle"]


def test_an_alert_behind_a_hundred_like_it_is_found(
    service: LibratoService, api: LibratoConnection
) -> None:
    for number in range(130):
        service.alerts[number + 1] = {"id": number + 1, "name": f"a.{number}.cpu", "version": 2}
    service.alerts[500] = {"id": 500, "name": "cpu", "version": 2}
    found = api.get_alert("cpu")
    assert found is not None
    assert found.id == 500


def test_alerts_are_listed_all_or_the_active_ones(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.create_alert("on")
    api.create_alert("off", active=False)
    assert [one.name for one in api.list_alerts()] == ["on", "off"]
    assert [one.name for one in api.list_alerts(active_only=True)] == ["on"]


def test_a_new_alert_is_created_by_save_and_then_changed(
    service: LibratoService, api: LibratoConnection
) -> None:
    alert = Alert(api, "new")
    alert.add_condition_for("m").above(1)
    alert.save()
    alert.add_service("849")
    alert.save()
    assert [one.method for one in service.calls] == ["POST", "PUT"]
    assert [one["id"] for one in only(service)["services"]] == ["849"]
    api.update_alert(alert, active=False)
    assert only(service)["active"] is False


def test_attributes_are_not_shared_between_alerts(api: LibratoConnection) -> None:
    Alert(api, "a").attributes["runbook_url"] = "http://x"
    assert Alert(api, "b").attributes == {}


def test_a_text_is_the_id_of_a_service_as_a_whole(api: LibratoConnection) -> None:
    alert = Alert(api, "a", services=["849123", 5])
    assert alert.get_payload()["services"] == ["849123", 5]


@pytest.mark.parametrize(
    ("condition", "payload"),
    [
        (Condition("m").above(1),
         {"type": "above", "threshold": 1, "summary_function": "average", "source": "*"}),
        (Condition("m", "web").below(2, "sum").duration(120),
         {"type": "below", "threshold": 2, "summary_function": "sum", "source": "web",
          "duration": 120}),
        (Condition("m").stops_reporting_for(600),
         {"type": "absent", "duration": 600, "source": "*"}),
        (Condition("m").stops_reporting_for(5),
         {"type": "absent", "duration": 300, "source": "*"}),
        (Condition("m", tags={"env": "prod"}).above(1),
         {"type": "above", "threshold": 1, "summary_function": "average", "source": None,
          "tags": [{"name": "env", "grouped": False, "values": ["prod"]}]}),
    ],
)  # fmt: skip
def test_a_condition_is_saved_as_exactly_this(
    condition: Condition, payload: dict[str, Any]
) -> None:
    assert condition.get_payload() == {"metric_name": "m", "tags": [], **payload}


@pytest.mark.parametrize("tags", [{}, [], None])
def test_no_tags_of_a_condition_are_an_empty_list_and_never_an_object(tags: Any) -> None:
    condition = Condition.from_dict({**ABOVE, "tags": tags})
    assert condition.get_payload()["tags"] == []
    assert "summary_function" not in condition.get_payload()


def test_a_condition_with_tags_makes_its_alert_one_for_tagged_metrics(
    service: LibratoService, api: LibratoConnection
) -> None:
    alert = api.create_alert("a")
    alert.add_condition_for("m", tags={"env": ["prod", "stage"]}).above(1)
    alert.save()
    assert only(service)["md"] is True
    assert service.refusals == []


def test_a_condition_is_immediate_until_it_has_a_duration() -> None:
    condition = Condition("m")
    assert condition.immediate()
    assert condition.above(1).immediate()
    assert not condition.duration(60).immediate()
    assert condition.above(2).immediate()
    assert (Condition.ABOVE, Condition.BELOW, Condition.ABSENT) == ("above", "below", "absent")


def test_a_condition_that_says_nothing_is_told(api: LibratoConnection) -> None:
    alert = Alert(api, "a", _id=1, conditions=[("m", "web")])
    with pytest.raises(ValueError, match="says nothing"):
        alert.save()


def test_a_condition_of_a_type_of_the_future_is_kept() -> None:
    data = {"type": "new", "metric_name": "m", "source": "*", "tags": [], "x": 1}
    assert Condition.from_dict(data).get_payload() == data


def test_what_the_service_refuses_is_told_in_its_words(api: LibratoConnection) -> None:
    condition = Condition("m").above(1).duration(4000)
    with pytest.raises(exceptions.BadRequest, match="params: conditions: duration: must be 60"):
        api.create_alert("a", conditions=[condition])
    api.create_alert("a")
    with pytest.raises(exceptions.Unprocessable, match="taken"):
        api.create_alert("a")


def test_alerts_have_a_status_and_can_be_cleared(
    service: LibratoService, api: LibratoConnection
) -> None:
    alert = api.create_alert("a")
    assert api.get_alert_status(alert) == "triggered"
    assert api.list_alert_status()["firing"]
    api.clear_alert(alert)
    api.add_alert_service(alert, "849")
    assert alert.id is not None
    assert len(api.get_alert_by_id(alert.id).services) == 1
    api.remove_alert_service(alert, "849")
    assert only(service)["services"] == []


def test_services_are_listed_indexed_and_managed(
    service: LibratoService, api: LibratoConnection
) -> None:
    listed = api.list_services()
    assert [listed[0].id, listed[1].id] == ["849", "1234"]
    made = api.create_service("slack", "Ops", {"url": "http://hook/secret"})
    assert "secret" not in repr(made)
    made.title = "Ops 2"
    api.update_service(made)
    assert made.id is not None
    assert api.get_service(made.id).get_payload() == {
        "id": made.id, "type": "slack", "title": "Ops 2", "settings": {"url": "http://hook/secret"},
    }  # fmt: skip
    api.delete_service(made)
    assert len(api.list_services()) == 3


def test_annotations_are_posted_read_and_deleted(
    service: LibratoService, api: LibratoConnection
) -> None:
    event = api.post_annotation(
        "deploys", title="one", source="web", links=[{"rel": "ci", "href": "http://x"}]
    )
    api.post_annotation("deploys", title="two")
    (stream,) = api.list_annotation_streams()
    assert (repr(stream), stream.events) == ("Annotation<deploys>", {})
    read = api.get_annotation_stream("deploys", start_time=1)
    assert {source: [one["title"] for one in found] for source, found in read.events.items()} == {
        "web": ["one"], "unassigned": ["two"],
    }  # fmt: skip
    assert api.get_annotation("deploys", event["id"])["title"] == "one"
    api.update_annotation("deploys", event["id"], description="d", end_time=9)
    api.add_annotation_link("deploys", event["id"], rel="pr", href="http://y")
    api.delete_annotation_link("deploys", event["id"], "ci")
    found = api.get_annotation("deploys", event["id"])
    assert (found["description"], [one["rel"] for one in found["links"]]) == ("d", ["pr"])
    api.delete_annotation("deploys", event["id"])
    api.delete_annotation_stream("deploys")
    assert service.streams == {}


def test_changing_a_stream_keeps_its_display_name(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.post_annotation("deploys", title="one")
    api.update_annotation_stream("deploys", display_name="Deploys")
    assert api.update_annotation_stream("deploys", color="#ffffff") is None
    assert service.streams["deploys"]["display_name"] == "Deploys"
    assert Annotation(api, "x").get_payload() == {"name": "x", "display_name": None}


@pytest.mark.parametrize(
    "events", [{"web": [{"id": 1}]}, [{"web": [{"id": 1}]}], [{"web": []}, {"web": [{"id": 1}]}]]
)
def test_events_are_read_in_both_forms_they_come_in(api: LibratoConnection, events: Any) -> None:
    stream = Annotation.from_dict(api, {"name": "s", "events": events})
    assert stream.events == {"web": [{"id": 1}]}
