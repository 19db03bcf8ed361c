"""Measurements as the service takes them; no I/O.

Source:
    Librato API reference, "Create a measurement" and, for gauges and counters, "Create a metric".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from wf_instrument.backends.librato.json_text import JsonObject, finite_number, json_body

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_PER_CHUNK", "MetricKind", "legacy_item", "metric_kind", "tagged_item"]

MetricKind = Literal["gauge", "counter"]

#: Source: Librato API reference, "Measurement restrictions": about 300 in one request.
MAX_PER_CHUNK: Final = 300
_KINDS: Final[tuple[MetricKind, ...]] = ("gauge", "counter")
#: Fields of a summary of several values, one of which `value` would contradict.
_SUMMARY: Final = ("count", "sum", "min", "max", "last", "stddev", "sum_squares")


def metric_kind(kind: str, *, is_tagged: bool) -> MetricKind:
    """Return a metric's kind.

    Raises:
        ValueError: It is none, or a counter with tags, which the service knows no such thing as.
    """
    for known in _KINDS:
        if kind == known:
            if is_tagged and known == "counter":
                raise ValueError(
                    "type is 'counter' and there are tags, of the call, the queue or the "
                    "connection; tagged measurements have no type: leave it out, or send without "
                    "tags"
                )
            return known
    raise ValueError(f"type is {kind!r}; give 'gauge' or 'counter'")


def legacy_item(name: str, value: object, properties: Mapping[str, object]) -> JsonObject:
    """Return one gauge or counter value without tags.

    Raises:
        ValueError: A number is none or not finite, or JSON has no form for a property.
    """
    return _checked({"name": name, **_value(name, value, properties), **properties})


def tagged_item(
    name: str,
    value: object,
    properties: Mapping[str, object],
    tags: Mapping[str, str],
    *,
    always_tags: bool = False,
    as_summary: bool = False,
) -> JsonObject:
    """Return one tagged measurement.

    Args:
        name: Of the metric.
        value: A number; None when the properties are a summary.
        properties: Further fields.
        tags: Its tags.
        always_tags: Whether it has tags even when there are none.
        as_summary: Whether the value goes as a sum of one.

    Raises:
        ValueError: As `legacy_item`.
    """
    fields = _value(name, value, properties)
    if as_summary and "value" in fields:
        fields = {"sum": fields["value"], "count": 1}
    item: JsonObject = {"name": name, **fields, **properties}
    if tags or always_tags:
        item["tags"] = dict(tags)
    return _checked(item)


def _value(name: str, value: object, properties: Mapping[str, object]) -> JsonObject:
    for field in _SUMMARY:
        if properties.get(field) is not None:
            finite_number(properties[field], f"{field} of {name!r}")
    if value is None:
        if properties.get("count") is None or properties.get("sum") is None:
            raise ValueError(
                f"{name!r} has no value; give one, or None with `count` and `sum` of a summary"
            )
        return {}
    return {"value": finite_number(value, f"the value of {name!r}")}


def _checked(item: JsonObject) -> JsonObject:
    if not item["name"]:
        raise ValueError("a measurement has no name; give the metric's")
    # Now, and not when a chunk of three hundred is sent.
    json_body(item)
    return item
