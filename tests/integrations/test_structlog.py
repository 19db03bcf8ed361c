"""Trace ids in structlog's events, and log records as JSON."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from wf_instrument.integrations.logging import JsonFormatter
from wf_instrument.integrations.structlog import add_trace_ids, install, uninstall

import wf_instrument
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    telemetry_for({"reporter": RecordingReporter()})
    yield
    uninstall()
    structlog.reset_defaults()
    wf_instrument.shutdown(5)


def logged(**given: object) -> dict[str, Any]:
    events: list[dict[str, Any]] = []

    def keep(logger: object, name: str, event: Any) -> Any:
        events.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[*given.pop("before", ()), keep])  # type: ignore[misc]
    structlog.get_logger().info("bought", **given)
    return events[0]


def test_an_event_within_a_span_has_its_ids() -> None:
    with wf_instrument.span("order") as span:
        event = logged(before=[add_trace_ids], item="shirt")
        assert event["trace_id"] == f"{span.trace_id.int:032x}"
    assert event["item"] == "shirt"
    assert logged(before=[add_trace_ids])["trace_id"] == ""


def test_keys_of_the_application_are_kept() -> None:
    assert logged(before=[add_trace_ids], route="mine")["route"] == "mine"


def test_installed_it_comes_first_however_structlog_is_configured() -> None:
    install()
    install()
    assert structlog.get_config()["processors"][0] is add_trace_ids
    with wf_instrument.span("order"):
        assert len(logged()["trace_id"]) == 32
    uninstall()
    uninstall()
    assert add_trace_ids not in structlog.get_config()["processors"]
    assert "trace_id" not in logged()


def test_a_record_becomes_one_line_of_json() -> None:
    try:
        raise ValueError("on\npurpose")
    except ValueError as error:
        record = logging.LogRecord(
            "shop", logging.ERROR, __file__, 1, "sold %d", (3,), (ValueError, error, None)
        )
    record.item = {"a set"}
    with wf_instrument.span("order") as span:
        line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found["trace_id"] == f"{span.trace_id.int:032x}"
    assert (found["level"], found["logger"], found["message"]) == ("ERROR", "shop", "sold 3")
    assert found["item"] == "{'a set'}"
    assert "ValueError" in found["exception"]
    assert found["time"].endswith("+00:00")
