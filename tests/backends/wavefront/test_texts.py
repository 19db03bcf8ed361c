"""Names and tags that are no plain text: the same line, whatever was written before."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from awkward import VALUES, Colour, Loud, Mute
from backends.wavefront.test_hostile_input import METRIC, SPAN, is_one
from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import (
    WavefrontClient,
    event_to_line_data,
    metric_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.texts import Texts

ID = UUID(int=1)


@pytest.mark.parametrize("text", [Colour.RED, Loud("red")])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_subclass_of_str_reads_as_its_value_whatever_is_known(text: Any, is_known: bool) -> None:
    texts = Texts()
    if is_known:
        metric_to_line_data("red", 1, None, "red", {"red": "red"}, "d", texts)
    for _ in range(2):
        line = metric_to_line_data(text, 1, None, text, {text: text}, "d", texts)
        assert line == '"red" 1.0 source="red" "red"="red"\n'


@pytest.mark.parametrize("text", [Colour.RED, Loud("red")])
def test_spans_and_events_take_the_value_of_a_subclass_of_str_too(text: Any) -> None:
    span = tracing_span_to_line_data(
        text, 1, 1, text, ID, ID, None, None, [(text, text), ("red", "red")], None
    )
    assert span == f'"red" source="red" traceId={ID} spanId={ID} "red"="red" 1 1\n'
    event = event_to_line_data(text, 1, 2, text, [text], {text: text})
    assert event == '@Event 1 2 "red" red="red" host="red" tag="red"\n'


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_a_tag_of_any_type_makes_one_line_or_is_refused(make: Any) -> None:
    value = make()
    is_one(METRIC, lambda: metric_to_line_data("m", 1, None, "s", {"k": value}, "d"))
    is_one(
        SPAN,
        lambda: tracing_span_to_line_data("s", 1, 1, "s", ID, ID, None, None, [("k", value)], None),
    )


@pytest.mark.parametrize(
    ("name", "value", "tags"),
    [(Mute(), 1, None), ("m", Mute(), None), ("m", 1, {"k": Mute()}), ("m", 1, Mute())],
)
def test_what_cannot_be_read_at_all_is_refused_and_counted(
    name: Any, value: Any, tags: Any
) -> None:
    with LoopbackReceiver() as receiver:
        client = WavefrontClient(receiver.url)
        with pytest.raises(ValueError, match=re.compile("text|number|mapping")):
            client.send_metric(name, value, None, "s", tags)
        client.close()
        assert client.sender.counts["points"].invalid == 1
        assert receiver.lines() == []


@pytest.mark.parametrize("value", ["text", None, Mute(), [1], float("nan")])
def test_a_change_that_is_no_number_is_refused_and_counted(value: Any) -> None:
    client = WavefrontClient("http://127.0.0.1:9", enable_internal_metrics=False)
    with pytest.raises(ValueError, match="number"):
        client.send_delta_counter("d", value, "s", None)
    assert client.sender.counts["points"].invalid == 1
    client.close(0)


@pytest.mark.parametrize(("name", "written"), [(Colour.RED, "∆red"), (5, "∆5"), ("Δx", "Δx")])
def test_a_delta_counter_may_have_a_name_of_any_type(name: Any, written: str) -> None:
    with LoopbackReceiver() as receiver:
        client = WavefrontClient(receiver.url)
        client.send_delta_counter(name, 1, "s", None)
        client.close()
        assert receiver.lines() == [f'"{written}" 1.0 source="s"\n']
