"""Every code block of python-librato's README runs, and does what it says to a strict service.

The forced edits are those of `librato_readme.EDITS`; in the second round also the imports, from
`librato` to this library.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from compat.librato_readme import EDITS, PRELUDE, blocks, edited, renamed
from librato_service import TOKEN, USER, LibratoService
from wf_instrument import compat

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = blocks()


@pytest.fixture(params=["imports as they stand", "imports changed"])
def is_legacy(request: pytest.FixtureRequest) -> Iterator[bool]:
    is_legacy: bool = request.param == "imports as they stand"
    if is_legacy:
        compat.install()
    yield is_legacy
    compat.uninstall()


@pytest.fixture
def service() -> Iterator[LibratoService]:
    with LibratoService() as running:
        yield running


class Reader:
    """Runs blocks one after the other, in one program."""

    def __init__(self, service: LibratoService, is_legacy: bool) -> None:
        self.service = service
        self.is_legacy = is_legacy
        self.space: dict[str, Any] = {
            "USER": USER, "TOKEN": TOKEN, "HOSTNAME": service.hostname, "risk": lambda: None,
        }  # fmt: skip
        self.run(PRELUDE)
        self.space["api"].deadline = 2

    def run(self, code: str) -> None:
        code = edited(code)
        if not self.is_legacy:
            code = renamed(code)
            assert "from librato" not in code
        exec(code, self.space)

    def section(self, *headings: str) -> None:
        found = [code for heading, code in BLOCKS if heading in headings]
        assert found, headings
        for code in found:
            self.run(code)


@pytest.fixture
def reader(service: LibratoService, is_legacy: bool) -> Iterator[Reader]:
    made = Reader(service, is_legacy)
    yield made
    made.space["api"].close()
    assert service.refusals == []


def names(rows: Any) -> list[str]:
    return [one["name"] for one in rows]


def test_the_readme_is_read_whole_and_every_edit_is_needed() -> None:
    assert len(BLOCKS) == 47
    page = PRELUDE + "\n".join(code for _, code in BLOCKS)
    assert [edit.old for edit in EDITS if edit.old not in page] == []
    assert all(edit.reason for edit in EDITS)


def test_authentication(reader: Reader) -> None:
    reader.section("Authentication")
    assert reader.space["api"].sanitize("a b") == "a-b"


def test_basic_usage(reader: Reader, service: LibratoService) -> None:
    reader.section("Basic Usage")
    assert [(kind, one["name"]) for kind, one in service.points] == [
        ("gauges", "temperature"), ("counters", "connections"),
    ]  # fmt: skip
    assert reader.space["gauge"].measurements["unassigned"][0]["value"] == 10
    assert reader.space["resp"]["measurements"][0]["series"]
    assert sorted(service.metrics) == ["connections", "humidity"]
    assert service.metrics["humidity"]["description"] == "a test composite"


def test_batch_mode(reader: Reader, service: LibratoService) -> None:
    reader.section("Sending measurements in batch mode")
    sources = [(one["name"], one.get("source")) for _, one in service.points]
    assert sources == [
        ("temperature", "upstairs"), ("temperature", "dowstairs"), ("num_requests", "server1"),
        ("num_requests", "server2"), ("temperature", "upstairs"), ("num_requests", "server1"),
    ]  # fmt: skip
    assert len(service.calls) == 2
    assert reader.space["q"].auto_submit_count == 400


def test_batch_mode_when_the_operation_fails(reader: Reader, service: LibratoService) -> None:
    def fail() -> None:
        raise RuntimeError

    reader.space["risk"] = fail
    (code,) = [code for _, code in BLOCKS if "potentially_dangerous" in code]
    with pytest.raises(RuntimeError):
        reader.run(code)
    assert names(one for _, one in service.points) == ["temperature"]


def test_tagged_measurements(reader: Reader, service: LibratoService) -> None:
    reader.section("Submitting tagged measurements")
    assert [one["tags"] for one in service.measurements] == [
        {"city": "austin", "station": "27"}, {"city": "sf", "station": "12"},
        {"city": "new york", "station": "1"}, {"city": "austin", "station": "112"},
    ]  # fmt: skip


def test_updating_metric_attributes(reader: Reader, service: LibratoService) -> None:
    for number in range(150):
        name = f"m {number}"
        service.metrics[name] = {"name": name, "type": "gauge", "attributes": {"color": "#000000"}}
    service.metrics["other"] = {"name": "other", "type": "gauge", "attributes": {}}
    reader.section("Updating Metric Attributes")
    changed = [one for one in service.metrics.values() if "display_units_long" in one["attributes"]]
    assert len(changed) == 150
    assert all(one["attributes"]["color"] == "#000000" for one in changed)


def test_annotations(reader: Reader, service: LibratoService) -> None:
    api = reader.space["api"]
    api.post_annotation("api.pushes", title="one", source="s", start_time=1386050500)
    reader.section("Annotations")
    assert list(service.streams) == ["api.pushes", "TravisCI"]
    assert reader.space["events"][0]["title"] == "one"
    (event,) = service.streams["TravisCI"]["events"]
    assert (event["title"], event["source"], event["links"]) == (
        "build 7",
        "SystemSource",
        [{"rel": "travis", "href": "http://travisci.com/somebuild"}],
    )


def test_spaces(reader: Reader, service: LibratoService) -> None:
    reader.section("List Spaces", "Create a Space", "Find a Space", "Delete a Space")
    assert names(service.spaces.values()) == ["space_name", "Production"]


def test_charts(reader: Reader, service: LibratoService) -> None:
    reader.space["api"].create_space("Production")
    reader.section("Create a Chart")
    space = reader.space["space"]
    (charts,) = service.charts.values()
    assert names(charts.values()) == [
        "cpu", "cpu", "memory", "my chart", "my chart", "my chart", "memory",
        "My Chart", "My Chart",
    ]  # fmt: skip
    kinds = [one["type"] for one in charts.values()]
    assert kinds == ["line"] * 5 + ["stacked"] + ["bignumber"] * 3
    memory = list(charts.values())[2]
    assert (memory["min"], memory["max"], memory["related_space"]) == (0, 50, 1234)
    reader.space |= {"chart_id": next(iter(charts)), "space_id": space.id}
    reader.section("Find a Chart", "Update a Chart", "Rename a Chart")
    changed = charts[reader.space["chart_id"]]
    assert (changed["name"], changed["min"], changed["max"]) == ("new chart name", 0, 50)
    reader.section("Add new metrics to a Chart")
    last = list(charts.values())[-1]["streams"][1:]
    assert [(one.get("metric"), one.get("composite"), one.get("source")) for one in last] == [
        ("foo", None, "*"), ("foo", None, "*"), (None, 's("foo", "*")', None),
    ]  # fmt: skip
    reader.section("Delete a Chart")
    assert len(charts) == 8


def test_alerts(reader: Reader, service: LibratoService) -> None:
    saved: list[dict[str, Any]] = []
    for heading, code in BLOCKS:
        if heading == "Alerts":
            service.alerts.clear()  # each block creates the same alert anew
            reader.run(code)
            saved += service.alerts.values()
    conditions = [
        [(one["type"], one.get("threshold"), one.get("duration"), one["source"])
         for one in alert["conditions"]]
        for alert in saved
    ]  # fmt: skip
    assert conditions == [
        [("above", 1, None, "*"), ("above", 1, 60, "*"), ("above", 1, None, "*")],
        [("below", 1, None, "*")],
        [("absent", None, 300, "*")],
        [("above", 1, None, "mysource")],
        [], [], [],
        [("above", 42, None, "*")],
    ]  # fmt: skip
    ids = [[one["id"] for one in alert["services"]] for alert in saved]
    assert ids == [[], [], [], [], ["1234", "5678"], ["849", "1234"], ["1234"], ["849", "1234"]]
    assert saved[1]["description"] == "An alert description"
    assert len(reader.space["alert"].conditions) == 1
    assert len(reader.space["alert"].services) == 2


def test_client_side_aggregation(reader: Reader, service: LibratoService) -> None:
    before = int(time.time())
    reader.section("Client-side Aggregation")
    sums = [(one["count"], one["sum"], one["min"], one["max"]) for _, one in service.points]
    assert sums == [(2, 47, 5, 42)] * 4
    rows = [one for _, one in service.points]
    assert [one.get("source") for one in rows] == [None, "my.source", None, None]
    assert rows[0]["measure_time"] >= before
    assert rows[1]["measure_time"] % 60 == 0
    assert [one["measure_time"] for one in rows[2:]] == [1419302640, 1419302671]
