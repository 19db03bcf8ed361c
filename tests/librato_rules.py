"""What the Librato API reference says of requests: each rule refuses with the service's words."""

from __future__ import annotations

import re
from typing import Any

NAME = re.compile(r"[A-Za-z0-9.:\-_]{1,255}")
ALERT_NAME = re.compile(r"[A-Za-z0-9.:\-]{1,255}")
TAG_NAME = re.compile(r"[-.:_\w]{1,64}", re.A)
TAG_VALUE = re.compile(r"[-.:_?\\/\w ]{1,255}", re.A)
SUMMARY = {"count", "sum", "min", "max"}
LEGACY_FIELDS = {
    "name", "value", "source", "measure_time", "description", "display_name", "period",
    "attributes", "sum_squares", *SUMMARY,
}  # fmt: skip
TAGGED_FIELDS = {
    "name",
    "value",
    "tags",
    "time",
    "period",
    "attributes",
    "last",
    "stddev",
    *SUMMARY,
}
TOP_TAGGED = {"measurements", "tags", "time", "period"}
TOP_LEGACY = {"gauges", "counters", "source", "measure_time", "period"}
FUNCTIONS = {"average", "sum", "min", "max", "breakout", "count", None}
CHART_TYPES = {"line", "stacked", "bignumber"}
CONDITION_TYPES = {"above", "below", "absent"}
MAX_MEASUREMENTS = 1000
MAX_LEGACY = 300
MAX_TAGS = 50


class Refused(Exception):  # noqa: N818 - an answer, not a mistake
    """An answer that is no success."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def bad(name: str, text: str) -> Refused:
    return Refused(400, {"errors": {"params": {name: [text]}}})


def need(holds: object, name: str, text: str) -> None:
    if not holds:
        raise bad(name, text)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_tags(tags: object) -> None:
    need(isinstance(tags, dict), "tags", "must be an object")
    assert isinstance(tags, dict)
    need(len(tags) <= MAX_TAGS, "tags", "too many")
    for name, value in tags.items():
        need(TAG_NAME.fullmatch(name), "tags", f"name {name!r} is invalid")
        need(isinstance(value, str), "tags", f"value {value!r} is no string")
        need(TAG_VALUE.fullmatch(value), "tags", f"value {value!r} is invalid")


def check_point(item: dict[str, Any], fields: set[str]) -> None:
    strange = set(item) - fields
    need(not strange, "request", f"unknown fields {sorted(strange)}")
    name = item.get("name")
    need(isinstance(name, str) and NAME.fullmatch(name or ""), "name", "is invalid")
    if "count" in item:
        need("value" not in item, "value", "must be absent when count is set")
        need("sum" in item, "sum", "must be set when count is")
    else:
        need("value" in item, "value", "is required")
    for field in ("value", *SUMMARY, "sum_squares", "stddev", "last"):
        need(field not in item or is_number(item[field]), field, "is not a number")
        need(abs(item.get(field, 0)) < 1e126, field, "is too large")


def check_legacy(body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    need(not set(body) - TOP_LEGACY, "request", f"unknown fields {sorted(body)}")
    items = [(kind, one) for kind in ("gauges", "counters") for one in body.get(kind, [])]
    if not items:
        raise Refused(400, {"errors": {"request": ["Must contain a measurement"]}})
    need(len(items) <= MAX_LEGACY, "request", "too many measurements")
    for kind, one in items:
        check_point(one, LEGACY_FIELDS)
        need(kind == "gauges" or "count" not in one, "count", "is for gauges alone")
        source = one.get("source", body.get("source"))
        need(source is None or NAME.fullmatch(source), "source", "is invalid")
        need(source != "all", "source", "is reserved")
    return items


def check_tagged(body: dict[str, Any]) -> list[dict[str, Any]]:
    need(not set(body) - TOP_TAGGED, "request", f"unknown fields {sorted(body)}")
    items: list[dict[str, Any]] = body.get("measurements", [])
    if not items:
        raise Refused(400, {"errors": {"request": ["Must contain a measurement"]}})
    need(len(items) <= MAX_MEASUREMENTS, "request", "too many measurements")
    check_tags(body.get("tags", {}))
    for one in items:
        check_point(one, TAGGED_FIELDS)
        check_tags(one.get("tags", {}))
        time_s = one.get("time", body.get("time"))
        need(time_s is None or isinstance(time_s, int), "time", "is not an integer")
    return items


def check_tag_list(tags: object, where: str) -> None:
    need(isinstance(tags, list), where, "must be an array")
    assert isinstance(tags, list)
    for one in tags:
        need(isinstance(one, dict) and one.get("name"), where, "needs a name")
        need(isinstance(one.get("values"), list) or one.get("dynamic"), where, "needs values")


def check_chart(body: dict[str, Any]) -> None:
    need(body.get("name"), "name", "is required")
    need(body.get("type") in CHART_TYPES, "type", "is invalid")
    need(not {"id", "space_id"} & set(body), "request", "id and space_id are read-only")
    need(isinstance(body.get("streams"), list), "streams", "must be an array")
    for stream in body["streams"]:
        need(stream.get("metric") or stream.get("composite"), "streams", "need a metric")
        has_both = stream.get("metric") and stream.get("composite")
        need(not has_both, "streams", "have a metric or a composite")
        need(stream.get("group_function") in FUNCTIONS, "group_function", "is invalid")
        need(stream.get("summary_function") in FUNCTIONS, "summary_function", "is invalid")
        need(not (stream.get("tags") and stream.get("source")), "streams", "tags or a source")
        if "tags" in stream:
            check_tag_list(stream["tags"], "streams.tags")
    for one in body.get("thresholds") or ():
        need(one.get("operator") in {">", "<", "="}, "thresholds", "operator")
        need(one.get("type") in {"red", "yellow"}, "thresholds", "type")


def check_alert(body: dict[str, Any], services: set[str]) -> None:
    need(ALERT_NAME.fullmatch(body.get("name") or ""), "name", "is invalid")
    need(body.get("version", 2) == 2, "version", "is invalid")
    need(isinstance(body.get("attributes", {}), dict), "attributes", "must be an object")
    rearm_s = body.get("rearm_seconds")
    need(rearm_s is None or rearm_s % 60 == 0, "rearm_seconds", "must be a multiple of 60")
    for service in body.get("services", []):
        need(isinstance(service, (int, str)), "services", "must be ids")
        need(str(service) in services, "services", f"{service} does not exist")
    for one in body.get("conditions", []):
        check_condition(one, is_tagged_alert=bool(body.get("md")))


def check_condition(one: dict[str, Any], *, is_tagged_alert: bool) -> None:
    def rule(holds: object, name: str, text: str) -> None:
        if not holds:
            raise Refused(400, {"errors": {"params": {"conditions": {name: [text]}}}})

    kind, duration = one.get("type"), one.get("duration")
    rule(kind in CONDITION_TYPES, "type", "is invalid")
    rule(NAME.fullmatch(one.get("metric_name") or ""), "metric_name", "is invalid")
    rule(isinstance(one.get("tags", []), list), "tags", "must be an array")
    rule(not one.get("tags") or is_tagged_alert, "tags", "need md")
    rule(not one.get("tags") or one.get("source") is None, "source", "must be null with tags")
    rule(duration is None or 60 <= duration <= 3600, "duration", "must be 60 to 3600")
    rule(kind != "absent" or duration is not None, "duration", "must be set")
    rule(kind == "absent" or is_number(one.get("threshold")), "threshold", "is required")
    check_tag_list(one.get("tags", []), "conditions.tags")
