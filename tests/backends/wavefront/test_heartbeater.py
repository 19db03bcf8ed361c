"""Heartbeats: which points, with which tags, from which process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import HeartbeaterService, WavefrontClient
from wf_instrument.identity import ApplicationTags

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = ApplicationTags("shop", "styles", custom_tags=[("env", "test"), ("service", "other")])


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.fixture
def client(receiver: LoopbackReceiver) -> Iterator[WavefrontClient]:
    made = WavefrontClient(receiver.url, flush_interval_seconds=0.02, enable_internal_metrics=False)
    yield made
    made.close(1)


def without_time(line: str) -> str:
    name, value, _, rest = line.split(" ", 3)
    return f"{name} {value} {rest}"


def test_every_component_beats_at_once_with_all_tags(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    service = HeartbeaterService(client, TAGS, ["flask", "python", "flask"], "host-1")
    lines = receiver.wait_for_lines(2)
    service.close()
    service.close()
    assert [without_time(line) for line in lines] == [
        f'"~component.heartbeat" 1.0 source="host-1" "application"="shop" "cluster"="none" '
        f'"service"="styles" "shard"="none" "env"="test" "component"="{component}"\n'
        for component in ("flask", "python")
    ]


def test_one_component_may_be_given_as_text(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    service = HeartbeaterService(client, TAGS, "flask", None)
    (line,) = receiver.wait_for_lines(1)
    service.close()
    assert line.endswith('"component"="flask"\n')
    assert f'source="{client.default_source}"' in line


def test_it_beats_every_interval_and_queued_tags_once(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    service = HeartbeaterService(client, TAGS, "flask", "host-1", interval_s=0.02)
    receiver.wait_for_lines(1)
    service.report_custom_tags({"component": "db", "span.kind": "client"})
    assert receiver.wait_until(lambda: any('"db"' in line for line in receiver.lines()))
    receiver.wait_for_lines(len(receiver.lines()) + 3)
    service.close()
    lines = [without_time(line) for line in receiver.lines()]
    own = '"~component.heartbeat" 1.0 source="host-1" "component"="db" "span.kind"="client"\n'
    assert lines.count(own) == 1
    assert len(lines) >= 5


def test_the_same_tags_queued_twice_are_sent_once(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    service = HeartbeaterService(client, TAGS, [], "host-1", interval_s=0.05)
    service.report_custom_tags({"a": "1", "b": "2"})
    service.report_custom_tags({"b": "2", "a": "1"})
    service.report_custom_tags({"c": "3"})
    lines = receiver.wait_for_lines(2)
    service.close()
    assert sorted(without_time(line) for line in lines) == [
        '"~component.heartbeat" 1.0 source="host-1" "a"="1" "b"="2"\n',
        '"~component.heartbeat" 1.0 source="host-1" "c"="3"\n',
    ]


@pytest.mark.expects_caught
def test_bad_tags_cost_neither_the_application_nor_the_other_beats(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    service = HeartbeaterService(client, TAGS, ["", "flask"], "host-1", interval_s=0.02)
    service.report_custom_tags({"": "blank"})
    service.report_custom_tags(None)  # type: ignore[arg-type]
    lines = receiver.wait_for_lines(2)
    service.close()
    assert all('"component"="flask"' in line for line in lines)


def test_a_full_queue_reaches_no_one(receiver: LoopbackReceiver) -> None:
    full = WavefrontClient(receiver.url, max_queue_size=1, flush_interval_seconds=3600)
    full.send_metric("fills", 1, None, None, None)
    service = HeartbeaterService(full, TAGS, ["a", "b"], None, interval_s=0.01)
    service.report_custom_tags({"a": "b"})
    service.close()
    full.close(1)
    assert full.sender.counts["points"].invalid == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_beats_too_and_leaves_queued_tags_to_its_parent(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    service = HeartbeaterService(client, TAGS, "flask", "parent", interval_s=0.1)
    receiver.wait_for_lines(1)
    service.report_custom_tags({"queued": "by-parent"})
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            service.report_custom_tags({"queued": "by-child"})
            os.read(reading, 1)
            client.flush_now()
            code = 0
        finally:
            os._exit(code)
    # The child's queued tags come with its first beat, after the parent's have been seen.
    assert receiver.wait_until(lambda: any("by-child" in line for line in receiver.lines()))
    os.write(writing, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    service.close()
    queued = [line for line in receiver.lines() if "queued" in line]
    assert sorted(line.split('"queued"=')[1] for line in queued) == [
        '"by-child"\n',
        '"by-parent"\n',
    ]
    os.close(reading)
    os.close(writing)


def test_closing_the_client_ends_the_heartbeats_first(
    receiver: LoopbackReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    client = WavefrontClient(receiver.url, enable_internal_metrics=False)
    service = HeartbeaterService(client, TAGS, "flask", None, interval_s=0.0001)
    client.flush_now()
    client.close()
    points = client.sender.counts["points"]
    assert points.valid == points.delivered == len(receiver.lines())
    assert points.dropped == 0
    assert caplog.messages == []
    service.close()
