"""Events: byte-identical to the documented example, as JSON for the service, and unbreakable."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.backends.wavefront.event_lines import event_to_json, event_to_line_data
from wf_instrument.backends.wavefront.version_value import get_sem_ver_value

ANNOTATIONS = {"severity": "info", "type": "backup", "details": "broker backup"}
#: An event line, read by the format's own rules.
QUOTED = r'"(?:[^"\\]|\\.)*"'
LINE = re.compile(
    rf"@Event \d+ \d+ {QUOTED}(?: [a-zA-Z0-9,\-._~∆Δ]+={QUOTED})*"
    rf"(?: host={QUOTED})?(?: tag={QUOTED})*\n"
)


def test_the_example_is_byte_identical() -> None:
    line = event_to_line_data(
        name="event name",
        start_time=1592200048,
        end_time=1592201048,
        source="localhost",
        tags=["env", "dev"],
        annotations=ANNOTATIONS,
    )
    assert line == (
        '@Event 1592200048 1592201048 "event name" severity="info" type="backup" '
        'details="broker backup" host="localhost" tag="env" tag="dev"\n'
    )


def test_the_service_gets_the_same_event_as_json() -> None:
    event = event_to_json("event name", 1, None, " ", ["env"], ANNOTATIONS, "fallback")
    assert json.loads(event) == {
        "name": "event name",
        "annotations": ANNOTATIONS,
        "hosts": ["fallback"],
        "startTime": 1,
        "endTime": 2,
        "tags": ["env"],
    }


@pytest.mark.parametrize(
    ("name", "start", "tags", "annotations", "said"),
    [
        (" ", 1, None, None, "name"), ("e", 0, None, None, "starts"), ("e", None, [], {}, "starts"),
        ("e", 1, [""], None, "tag"), ("e", 1, None, {"k": " "}, "annotation"),
        ("e", 1, None, {"": "v"}, "annotation"), ("e", float("nan"), None, None, "whole number"),
    ],
)  # fmt: skip
def test_what_is_blank_or_has_no_time_is_refused(
    name: str, start: int, tags: list[str], annotations: dict[str, str], said: str
) -> None:
    for to_text in (event_to_line_data, event_to_json):
        with pytest.raises(ValueError, match=said):
            to_text(name, start, None, "s", tags, annotations)


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_no_text_can_break_an_event(name: str, source: str, tag: str, key: str, value: str) -> None:
    try:
        line = event_to_line_data(name, 1, 2, source, [tag], {key: value})
    except ValueError:
        return
    assert len(line.splitlines()) == 1
    assert LINE.fullmatch(line), line


@pytest.mark.parametrize(
    ("version", "value"),
    [
        ("1.10.1", "1.1001"), ("1.2.3", "1.0203"), ("v2.0.10", "2.0010"), ("1.2.3-rc1", "1.0203"),
        ("1.2", "0.0"), ("x", "0.0"), ("", "0.0"), (None, "0.0"), ("1.2.3.4", "0.0"),
    ],
)  # fmt: skip
def test_a_version_becomes_a_value(version: str | None, value: str) -> None:
    assert get_sem_ver_value(version) == value
