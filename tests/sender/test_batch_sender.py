"""Delivery against a receiver that misbehaves: nothing lost that the bounds allow to keep."""

from __future__ import annotations

import contextlib
import os
import queue
from itertools import count
from typing import TYPE_CHECKING

import pytest

from loopback import Answer, LoopbackReceiver, Received
from wf_instrument.backends.wavefront import WavefrontClient
from wf_instrument.errors import ConfigError, SendError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def client_of(receiver: LoopbackReceiver, **options: float) -> WavefrontClient:
    defaults: dict[str, float] = {"flush_interval_seconds": 0.05}
    return WavefrontClient(receiver.url, None, **{**defaults, **options})  # type: ignore[arg-type]  # ints among them


def send(client: WavefrontClient, numbers: range) -> None:
    for number in numbers:
        client.send_metric(f"m{number}", number, None, "s", None)


def test_lines_arrive_compressed_in_batches_without_a_token(receiver: LoopbackReceiver) -> None:
    client = client_of(receiver, batch_size=40)
    send(client, range(100))
    assert client.sender.flush(10)
    assert [line.split()[0] for line in receiver.lines()] == [f'"m{n}"' for n in range(100)]
    assert all(len(one.lines) <= 40 for one in receiver.received)
    headers = receiver.received[0].headers
    assert receiver.received[0].target == "/report?f=wavefront"
    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"] == "application/octet-stream"
    assert "authorization" not in headers
    client.close()


def test_a_token_goes_to_loopback_or_over_https_only(receiver: LoopbackReceiver) -> None:
    client = WavefrontClient(receiver.url, "s3cret")
    client.send_metric("m", 1, None, "s", None)
    client.close()
    assert receiver.received[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(client)
    with pytest.raises(ConfigError, match="plain http") as caught:
        WavefrontClient("http://metrics.example", "s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [0, 408, 429, 500, 503, 401])
def test_a_batch_that_fails_keeps_its_place_and_is_sent_again(
    receiver: LoopbackReceiver, status: int
) -> None:
    tries = count()
    receiver.answer = lambda _: Answer(status if next(tries) < 2 else 200)
    client = client_of(receiver)
    send(client, range(10))
    for _ in range(3):
        client.sender.flush(5)
    assert receiver.wait_until(lambda: len(receiver.lines()) == 10, 20)
    assert [line.split()[0] for line in receiver.lines()] == [f'"m{n}"' for n in range(10)]
    assert client.get_failure_count() == 2
    client.close()


@pytest.mark.parametrize("status", [400, 406])
def test_only_the_bad_lines_of_a_batch_are_dropped(receiver: LoopbackReceiver, status: int) -> None:
    def answer(one: Received) -> Answer:
        return Answer(status if any("bad" in line for line in one.lines) else 200)

    receiver.answer = answer
    client = client_of(receiver)
    for number in range(30):
        client.send_metric(f"{'bad' if number in (3, 17) else 'good'}.{number}", 1, None, "s", None)
    assert client.sender.flush(10)
    assert len(receiver.lines()) == 28
    counts = client.sender.counts["points"]
    assert (counts.delivered, counts.rejected, counts.dropped) == (28, 2, 0)
    client.close()


def test_a_batch_that_is_too_large_is_halved(receiver: LoopbackReceiver) -> None:
    receiver.answer = lambda one: Answer(413 if len(one.lines) > 10 else 200)
    client = client_of(receiver)
    send(client, range(64))
    assert client.sender.flush(10)
    assert len(receiver.lines()) == 64
    client.close()


def test_lines_put_together_arrive_in_their_order(receiver: LoopbackReceiver) -> None:
    client = client_of(receiver, batch_size=40)
    assert client.sender.put_all("points", [f'"m{n}" 1.0\n' for n in range(250)]) == []
    assert client.sender.flush(10)
    assert [line.split()[0] for line in receiver.lines()] == [f'"m{n}"' for n in range(250)]
    client.close()


def test_of_lines_put_together_what_finds_no_room_is_told_and_counted(
    receiver: LoopbackReceiver,
) -> None:
    client = client_of(receiver, max_queue_size=120, flush_interval_seconds=60)
    receiver.answer = lambda _: Answer(503)
    refused = client.sender.put_all("points", [f'"m{n}" 1.0\n' for n in range(130)])
    assert refused == list(range(120, 130))
    assert client.sender.counts["points"].refused == 10
    assert client.sender.waiting("points") == 120
    receiver.answer = lambda _: Answer()
    client.close()


def test_a_full_buffer_refuses_the_newest_and_counts_it(receiver: LoopbackReceiver) -> None:
    client = client_of(receiver, max_queue_size=5, flush_interval_seconds=3600)
    receiver.answer = lambda _: Answer(503)
    send(client, range(5))
    for _ in range(3):
        with pytest.raises(queue.Full):
            client.send_metric("newest", 1, None, "s", None)
    assert client.sender.counts["points"].dropped == 3
    receiver.answer = lambda _: Answer()
    assert client.sender.flush(10)
    assert len(receiver.lines()) == 5
    client.close()


def test_delivered_rejected_and_dropped_add_up_to_what_was_sent(
    receiver: LoopbackReceiver,
) -> None:
    tries = count()
    receiver.answer = lambda _: Answer((200, 500, 0, 413)[next(tries) % 4])
    client = client_of(receiver, max_queue_size=200, batch_size=50)
    sent = 0
    for number in range(1000):
        sent += 1
        with contextlib.suppress(queue.Full):
            client.send_metric("m", number, None, "s", None)
    receiver.answer = lambda _: Answer()
    client.close()
    counts = client.sender.counts["points"]
    assert counts.delivered + counts.rejected + counts.dropped == sent


def test_closing_without_a_receiver_ends_in_time_and_counts_what_is_lost() -> None:
    with LoopbackReceiver() as gone:
        url = gone.url
    client = WavefrontClient(url)
    send(client, range(3))
    client.close(1.0)
    client.close(1.0)
    assert client.sender.counts["points"].dropped == 3
    with pytest.raises(queue.Full):
        client.send_metric("late", 1, None, "s", None)


def test_redirects_are_not_followed(receiver: LoopbackReceiver) -> None:
    receiver.answer = lambda _: Answer(307, (("Location", "/elsewhere"),))
    client = client_of(receiver)
    with pytest.raises(SendError) as caught:
        client.send_metric_now(['"m" 1.0 source="s"\n'])
    assert caught.value.status == 307
    assert [one.target for one in receiver.refused] == ["/report?f=wavefront"]
    client.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sends_only_its_own(receiver: LoopbackReceiver) -> None:
    client = client_of(receiver, flush_interval_seconds=3600)
    client.send_metric("parent", 1, None, "s", None)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            client.send_metric("child", 1, None, "s", None)
            code = 0 if client.sender.flush(10) else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    client.close()
    assert sorted(line.split()[0] for line in receiver.lines()) == ['"child"', '"parent"']
