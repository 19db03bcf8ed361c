"""Every code block of the SignalFx README runs, and what it sends arrives.

In the first round the imports stand as they are; in the second they name this library's modules.
"""

from __future__ import annotations

import atexit
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compat.readme_blocks import replaced
from compat.signalfx_readme_edits import EDITS
from signalflow_service import END, JOB_START, TIME_MS, Data, SignalFlowService, tsid
from signalfx_service import EVENT_PATH, Asked, Reply, SignalFxService
from wf_instrument import compat
from wf_instrument.metrics.pyformance_shim import MetricsRegistry, pyformance

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent / "data" / "signalfx_readme_blocks.rst"
CLIENTS, REPORTING, STOP, DIMENSIONS, EVENTS, TAGS, AWS, PYFORMANCE, FLOW, METADATA, ATEXIT = range(
    11
)
POINT_MS = 1442960607000


def blocks() -> list[str]:
    found = re.findall(
        r"^\.\. code:: python\n\n((?:[ ]{4}.*\n|\n)+)", PAGE.read_text("utf-8"), re.M
    )
    return [textwrap.dedent(code) for code in found]


BLOCKS = blocks()


def edited(number: int) -> str:
    return replaced(BLOCKS[number], {old: new for old, new, _ in EDITS.get(number, [])})


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService(lambda _: Reply.of({"name": "tag_name"})) as made:
        yield made


@pytest.fixture(params=["imports as they stand", "imports changed"])
def is_legacy(
    request: pytest.FixtureRequest, service: SignalFxService, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bool]:
    is_legacy: bool = request.param == "imports as they stand"
    if is_legacy:
        compat.install()
    before = pyformance.global_registry()
    pyformance.set_global_registry(MetricsRegistry())
    point_at(service.url, monkeypatch)
    yield is_legacy
    compat.uninstall()
    pyformance.set_global_registry(before)
    for name in [name for name in sys.modules if name.startswith("wf_instrument.compat.signalfx")]:
        # So that importing its pyformance puts its registry in place again.
        if name.endswith("pyformance.registry"):
            del sys.modules[name]


def point_at(url: str, monkeypatch: pytest.MonkeyPatch, stream: str = "http://127.0.0.1:1") -> None:
    """Have the service's addresses be these."""
    from wf_instrument.backends.signalfx import SignalFx, SignalFxReporter

    monkeypatch.setattr(SignalFx.__init__, "__defaults__", (url, url, stream, 5, True))
    monkeypatch.setattr(SignalFxReporter.__init__, "__defaults__", (url, None, 1, None))


def run(number: int, *, is_legacy: bool, space: dict[str, Any] | None = None) -> dict[str, Any]:
    code = edited(number)
    if not is_legacy:
        code = re.sub(
            r"^(from|import) signalfx", r"\1 wf_instrument.compat.signalfx", code, flags=re.M
        )
        code = re.sub(
            r"^import wf_instrument\.compat\.signalfx(\S*)$",
            r"import wf_instrument.compat.signalfx\1\nsignalfx = wf_instrument.compat.signalfx",
            code,
            flags=re.M,
        )
    space = {} if space is None else space
    exec(compile(code, f"README block {number}", "exec"), space)
    return space


def sent(service: SignalFxService) -> list[tuple[str, str, Any]]:
    return sorted((p["kind"], p["metric"], p["value"]) for p in service.points())


def test_the_readme_is_read_whole_and_every_edit_has_its_reason() -> None:
    assert len(BLOCKS) == PAGE.read_text("utf-8").count(".. code:: python") == 11
    assert all(reason for edits in EDITS.values() for _, _, reason in edits)
    assert [n for n in range(11) if edited(n) != BLOCKS[n]] == [REPORTING, STOP, DIMENSIONS, AWS]


def test_the_clients_are_made_without_a_connection(
    service: SignalFxService, is_legacy: bool
) -> None:
    space = run(CLIENTS, is_legacy=is_legacy)
    assert service.asked == []
    assert [type(space[name]).__name__ for name in ("ingest", "rest", "flow")] == [
        "ProtoBufSignalFxIngestClient", "SignalFxRestClient", "SignalFlowClient",
    ]  # fmt: skip
    space["rest"].close()


def test_points_of_three_kinds_arrive(service: SignalFxService, is_legacy: bool) -> None:
    run(REPORTING, is_legacy=is_legacy)
    assert sent(service) == [
        ("counter", "myfunc.calls", 42),
        ("cumulative_counter", "myfunc.calls_cumulative", 10),
        ("gauge", "myfunc.time", 532),
    ]
    assert {point["timestamp"] for point in service.points()} == {POINT_MS}
    assert {one.headers["x-sf-token"] for one in service.asked} == {"MY_TOKEN"}


def test_stop_makes_sure_that_everything_gets_sent(
    service: SignalFxService, is_legacy: bool
) -> None:
    run(STOP, is_legacy=is_legacy)
    assert sent(service) == [("gauge", "myfunc.time", 532)] * 2


def test_points_arrive_with_their_dimensions(service: SignalFxService, is_legacy: bool) -> None:
    run(DIMENSIONS, is_legacy=is_legacy)
    (point,) = service.points()
    assert point["dimensions"] == {"host": "server1", "host_ip": "1.2.3.4"}


def test_an_event_arrives(service: SignalFxService, is_legacy: bool) -> None:
    run(EVENTS, is_legacy=is_legacy)
    (one,) = service.asked
    assert (one.path, one.event.eventType) == (EVENT_PATH, "deployments")
    assert {pair.key: pair.value for pair in one.event.dimensions} == {
        "host": "myhost", "service": "myservice", "instance": "myinstance",
    }  # fmt: skip
    assert one.event.properties[0].value.strValue == "2015.04.29-01"


def test_a_tag_is_updated(service: SignalFxService, is_legacy: bool) -> None:
    run(TAGS, is_legacy=is_legacy)
    (one,) = service.asked
    assert (one.method, one.path) == ("PUT", "/v2/tag/tag_name")
    assert one.json == {
        "description": "An example tag", "customProperties": {"version": "some_number"},
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("is_in_the_cloud", [True, False])
def test_points_carry_the_aws_id_where_there_is_one(
    service: SignalFxService,
    is_legacy: bool,
    is_in_the_cloud: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from wf_instrument.backends.signalfx import cloud_ids

    def answer(one: Asked) -> Reply:
        if one.path != "/task":
            return Reply()
        arn = "arn:aws:ecs:eu-west-1:123:task/cluster/abc"
        return Reply.of({"TaskARN": arn}, 200 if is_in_the_cloud else 404)

    service.answer = answer
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", service.url)
    nowhere = {"timeout": 1.0, "ecs_url": None, "ec2_url": "http://127.0.0.1:1/"}
    monkeypatch.setattr(cloud_ids.get_aws_unique_id, "__kwdefaults__", nowhere)
    run(AWS, is_legacy=is_legacy)
    own = {"host": "server1", "host_ip": "1.2.3.4"}
    extra = {"AWSUniqueId": "abc_eu-west-1_123"} if is_in_the_cloud else {}
    assert [point["dimensions"] for point in service.points()] == [{**own, **extra}]


@pytest.mark.slow
def test_pyformance_metrics_are_reported(service: SignalFxService, is_legacy: bool) -> None:
    space = run(PYFORMANCE, is_legacy=is_legacy)
    space["sfx"].stop()
    last = {(p["kind"], p["metric"]): p["value"] for p in service.points()}
    assert last == {("cumulative_counter", "callme_calls"): 2, ("gauge", "test"): 42}


@pytest.mark.slow
def test_a_program_is_executed_and_its_metadata_shown(
    service: SignalFxService,
    is_legacy: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = {
        "type": "event",
        "tsId": "e",
        "timestampMs": 5,
        "metadata": {},
        "properties": {"is": "x"},
    }
    metadata = {"type": "metadata", "tsId": tsid(0), "properties": {"sf_metric": "cpu"}}

    def script(*_: Any) -> Any:
        return iter((JOB_START, metadata, event, Data(1, a=1.5), Data(2, a=2), END))

    with SignalFlowService(script, token="MY_TOKEN") as stream:
        point_at(service.url, monkeypatch, stream.url)
        space = run(FLOW, is_legacy=is_legacy)
        assert stream.of_type("execute")[0]["program"] == space["program"]
    assert capsys.readouterr().out == (
        f"Executing {space['program']} ...\n5: {{'is': 'x'}}\n"
        f"{TIME_MS + 1000}: {{'{tsid(0)}': 1.5}}\n{TIME_MS + 2000}: {{'{tsid(0)}': 2}}\n"
    )
    run(METADATA, is_legacy=is_legacy, space=space)
    assert (space["value"], space["metadata"]) == (2, {"sf_metric": "cpu"})


def test_stop_can_be_left_to_the_end_of_the_program(
    service: SignalFxService, is_legacy: bool
) -> None:
    space = run(ATEXIT, is_legacy=is_legacy)
    space["sfx"].send(gauges=[{"metric": "last", "value": 1}])
    atexit.unregister(space["sfx"].stop)
    space["sfx"].stop()
    assert sent(service) == [("gauge", "last", 1)]
