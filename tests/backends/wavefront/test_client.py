"""The client, the factory and the multi client, against real receivers."""

from __future__ import annotations

import json
import queue
import traceback
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from loopback import Answer, LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontClient
from wf_instrument.backends.wavefront.client_factory import WavefrontClientFactory
from wf_instrument.backends.wavefront.multi_client import WavefrontMultiClient
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret-token"
ID = UUID("7b3bf470-9456-11e8-9eb6-529269fb1459")


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.fixture
def client(receiver: LoopbackReceiver) -> Iterator[WavefrontClient]:
    made = WavefrontClient(receiver.url, flush_interval_seconds=3600)
    yield made
    made.close(1)


def send_readme(sender: WavefrontClient | WavefrontMultiClient) -> None:
    """Send what the Wavefront SDK's README sends."""
    sender.send_metric("new_york.power.usage", 42422.0, 1533529977, "localhost", {"dc": "dc1"})
    sender.send_delta_counter("delta.counter", 1.0, "localhost", {"dc": "dc1"})
    sender.send_distribution(
        "request.latency", [(30, 20), (5.1, 10)], {"!M", "!H"}, 1533529977, "app1", {"r": "us"}
    )
    sender.send_span(
        "getAllUsers", 1533529977, 343500, "localhost", ID, ID, [ID], None, [("a", "b")], None
    )
    sender.send_event("event name", 1592200048, 1592201048, "localhost", ["dev"], {"k": "v"})


README_LINES = {
    "f=wavefront": [
        '"new_york.power.usage" 42422.0 1533529977 source="localhost" "dc"="dc1"\n',
        '"∆delta.counter" 1.0 source="localhost" "dc"="dc1"\n',
    ],
    "f=histogram": [
        '!H 1533529977 #20 30.0 #10 5.1 "request.latency" source="app1" "r"="us"\n',
        '!M 1533529977 #20 30.0 #10 5.1 "request.latency" source="app1" "r"="us"\n',
    ],
    "f=trace": [
        (
            f'"getAllUsers" source="localhost" traceId={ID} spanId={ID} parent={ID} "a"="b" '
            "1533529977 343500\n"
        )
    ],
    "f=event": ['@Event 1592200048 1592201048 "event name" k="v" host="localhost" tag="dev"\n'],
}


def test_the_readmes_data_arrive_as_its_lines(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    send_readme(client)
    client.flush_now()
    assert {target: receiver.lines(target) for target in README_LINES} == README_LINES


def test_events_go_directly_as_one_json_each(receiver: LoopbackReceiver) -> None:
    client = WavefrontClient(receiver.url, SECRET, flush_interval_seconds=3600)
    for name in ("first", "second"):
        client.send_event(name, 5, None, "host-1", None, None)
    client.close()
    assert [one.target for one in receiver.received] == ["/api/v2/event"] * 2
    assert [json.loads(one.body)["name"] for one in receiver.received] == ["first", "second"]
    headers = receiver.received[0].headers
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == f"Bearer {SECRET}"


def test_ready_lines_are_sent_at_once_each_ended_once_and_none_empty(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    client.send_metric_now(['"a" 1.0 source="s"', '"b" 1.0 source="s"\n', "", "\n"])
    client.send_span_log_now(["{}"])
    client.send_event_now(["@Event 1 2 e"])
    client.send_formatted_metric('"c" 1.0 source="s"')
    client.flush_now()
    assert receiver.lines("wavefront") == [f'"{name}" 1.0 source="s"\n' for name in "abc"]
    assert receiver.lines("spanLogs") == ["{}\n"]
    assert receiver.lines("event") == ["@Event 1 2 e\n"]


def test_bad_input_is_refused_and_counted_and_sends_nothing(client: WavefrontClient) -> None:
    with pytest.raises(ValueError, match="blank"):
        client.send_metric(" ", 1, None, "s", None)
    with pytest.raises(ValueError, match="finite"):
        client.send_delta_counter("d", float("nan"), "s", None)
    with pytest.raises(ValueError, match="one line"):
        client.send_formatted_metric("a\nb")
    with pytest.raises(ValueError, match="centroids"):
        client.send_distribution("h", [], ["!M"], None, "s", None)
    with pytest.raises(ValueError, match="starts"):
        client.send_event("e", 0, None, None, None, None)
    counts = client.sender.counts
    assert {kind: counts[kind].invalid for kind in ("points", "histograms", "events")} == {
        "points": 3, "histograms": 1, "events": 1,
    }  # fmt: skip
    assert not any(client.sender.waiting(kind) for kind in counts)


def test_a_delta_of_zero_or_below_is_ignored(client: WavefrontClient) -> None:
    client.send_delta_counter("d", 0, "s", None)
    client.send_delta_counter("d", -1, "s", None)
    assert client.sender.waiting("points") == 0


def test_text_without_utf_8_does_not_cost_the_batch(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    client.send_formatted_metric('"a" 1.0 source="\ud800"')
    client.send_metric("b", 1, None, "s", None)
    client.flush_now()
    assert [line.split()[0] for line in receiver.lines()] == ['"a"', '"b"']


@pytest.mark.parametrize(
    ("url", "server", "token"),
    [
        ("proxy://our.proxy:1234", "http://our.proxy:1234", None),
        ("proxy://our.proxy", "http://our.proxy:2878", None),
        ("http://our.proxy:30000", "http://our.proxy:30000", None),
        ("proxy://[::1]:1", "http://[::1]:1", None),
        ("https://tok@x.wavefront.com", "https://x.wavefront.com", "tok"),
        ("https://a%2Fb@x.example:8443", "https://x.example:8443", "a/b"),
    ],
)
def test_urls_name_server_and_token(url: str, server: str, token: str | None) -> None:
    assert WavefrontClientFactory.get_server_info_from_endpoint(url) == (server, token)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"ftp://{SECRET}@host", "accepted: proxy, http, https"), ("https://host", "no token"),
        (f"proxy://{SECRET}@host", "takes none"), ("proxy://", "no host"), ("nonsense", "accepted"),
        (f"https://{SECRET}@host:99999", "no URL"),
    ],
)  # fmt: skip
def test_other_urls_are_refused_without_showing_the_token(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        WavefrontClientFactory().add_client(url)
    assert SECRET not in str(caught.value)


def test_a_factory_gives_none_one_or_all(receiver: LoopbackReceiver) -> None:
    factory = WavefrontClientFactory()
    assert factory.get_client() is None
    factory.add_client(f"proxy://127.0.0.1:{receiver.port}", queue_impl=queue.Queue)
    assert factory.get_client() is factory.clients[0]
    with pytest.raises(ConfigError, match="already"):
        factory.add_client(receiver.url)
    with LoopbackReceiver() as other:
        factory.add_client(other.url)
        multi = factory.get_client()
        assert isinstance(multi, WavefrontMultiClient)
        send_readme(multi)
        multi.close()
        for one in (receiver, other):
            assert {target: one.lines(target) for target in README_LINES} == README_LINES


def test_one_failing_client_does_not_keep_the_others_from_getting_data(
    receiver: LoopbackReceiver,
) -> None:
    with LoopbackReceiver(lambda _: Answer(503)) as broken:
        full = WavefrontClient(broken.url, max_queue_size=1, flush_interval_seconds=3600)
        fine = WavefrontClient(receiver.url, flush_interval_seconds=3600)
        multi = WavefrontMultiClient().with_wavefront_sender(full).with_wavefront_sender(fine)
        multi.send_metric("a", 1, None, "s", None)
        with pytest.raises(queue.Full):
            multi.send_metric("b", 1, None, "s", None)
        fine.flush_now()
        full.sender.flush(0.1)
        assert [line.split()[0] for line in receiver.lines()] == ['"a"', '"b"']
        assert multi.get_failure_count() == full.get_failure_count() >= 1
        multi.close(0.1)
    assert WavefrontMultiClient().get_failure_count() == 0


def test_a_host_that_is_none_does_not_show_the_token_in_the_traceback() -> None:
    url = "https://s3cret@ho\u2100st"
    with pytest.raises(ConfigError) as caught:
        WavefrontClientFactory().add_client(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ConfigError) as caught:
        WavefrontClient(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
