"""Several kinds through one sender: each fares by itself, and nothing is lost on the way out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from loopback import Answer, LoopbackReceiver
from wf_instrument.errors import SendError
from wf_instrument.sender import Batch, BatchSender, SenderLimits


class Deliveries:
    """Delivers into a list; refuses the kinds it is told to, with a status."""

    def __init__(self, **refused: int | None) -> None:
        self.refused = refused
        self.batches: list[tuple[str, list[str]]] = []
        self.tried: list[str] = []
        self.timeouts: list[float | None] = []

    def __call__(self, kind: str, data: Batch, timeout_s: float | None) -> None:
        self.tried.append(kind)
        self.timeouts.append(timeout_s)
        if kind in self.refused:
            raise SendError("refused", status=self.refused[kind])
        self.batches.append((kind, data.texts()))

    def of(self, kind: str) -> list[str]:
        return [datum for its, batch in self.batches if its == kind for datum in batch]


@pytest.mark.slow
def test_a_refused_kind_does_not_hold_up_the_others() -> None:
    deliveries = Deliveries(a=403)
    sender = BatchSender("test", "ab", deliveries, SenderLimits(flush_interval_s=3600))
    sender.put("a", "1")
    sender.put("b", "2")
    assert not sender.flush(10)
    assert (deliveries.of("a"), deliveries.of("b")) == ([], ["2"])
    assert sender.waiting("a") == 1
    assert sender.counts["a"].statuses[403] >= 1
    del deliveries.refused["a"]
    assert sender.flush(10)
    assert deliveries.of("a") == ["1"]
    sender.close(5)


@pytest.mark.slow
def test_when_nobody_is_there_one_kind_runs_into_it_for_all() -> None:
    deliveries = Deliveries(a=None, b=None, c=None)
    sender = BatchSender("test", "abc", deliveries, SenderLimits(flush_interval_s=3600))
    for kind in "abc":
        sender.put(kind, "x")
    began = time.monotonic()
    assert not sender.flush(20)
    assert time.monotonic() - began < 10
    assert len(deliveries.tried) <= 2
    sender.close(0)
    assert all(sender.counts[kind].dropped == 1 for kind in "abc")


def test_a_batch_is_bounded_by_bytes_as_well() -> None:
    deliveries = Deliveries()
    sender = BatchSender(
        "test", "a", deliveries, SenderLimits(flush_interval_s=3600, batch_bytes=10)
    )
    data = ["1234", "5678", "é" * 4, "x" * 50, "y"]
    for datum in data:
        sender.put("a", datum)
    assert sender.flush(10)
    assert [batch for _, batch in deliveries.batches] == [data[:2], [data[2]], [data[3]], [data[4]]]
    sender.close(5)


def test_half_a_queue_wakes_the_worker_long_before_its_interval() -> None:
    arrived = threading.Event()
    sender = BatchSender(
        "test", "a", lambda *_: arrived.set(), SenderLimits(queue_size=4, flush_interval_s=3600)
    )
    sender.put("a", "1")
    assert not arrived.is_set()
    sender.put("a", "2")
    assert arrived.wait(10)
    sender.close(5)


def test_a_queue_of_one_datum_does_not_keep_the_worker_busy() -> None:
    deliveries = Deliveries()
    sender = BatchSender("test", "a", deliveries, SenderLimits(queue_size=1, flush_interval_s=3600))
    for number in range(5):
        assert sender.put("a", str(number))
        assert sender.flush(10)
    began = time.process_time()
    threading.Event().wait(0.3)
    assert time.process_time() - began < 0.15
    assert deliveries.of("a") == list("01234")
    sender.close(5)


def test_a_flush_waits_for_what_was_queued_before_it_not_for_what_comes_after() -> None:
    sender: BatchSender
    has_begun = threading.Event()

    def deliver(kind: str, data: Batch, timeout_s: float | None) -> None:
        if not has_begun.is_set():
            has_begun.set()
        sender.put("a", "another")  # a producer that never stops

    sender = BatchSender("test", "a", deliver, SenderLimits(flush_interval_s=3600, batch_size=1))
    sender.put("a", "first")
    assert sender.flush(10)
    sender.close(0.2)


def test_a_flush_respects_the_pause_the_receiver_asked_for() -> None:
    tried = []

    def deliver(kind: str, data: Batch, timeout_s: float | None) -> None:
        tried.append(kind)
        raise SendError("busy", status=429, retry_after_s=60)

    sender = BatchSender("test", "a", deliver, SenderLimits(flush_interval_s=3600))
    sender.put("a", "1")
    assert not sender.flush(0.1)
    assert not sender.flush(0.1)
    assert tried == ["a"]
    sender.close(0)


@pytest.mark.slow
def test_a_flush_waits_as_long_as_the_receiver_asked_and_no_longer() -> None:
    told = iter([0.15, 0.15, 0.15, 0.15])
    taken: list[str] = []

    def deliver(kind: str, data: Batch, timeout_s: float | None) -> None:
        pause_s = next(told, None)
        if pause_s is not None:
            raise SendError("busy", status=429, retry_after_s=pause_s)
        taken.extend(data.texts())

    # The pauses of our own would be far longer.
    limits = SenderLimits(flush_interval_s=3600, first_pause_s=60)
    sender = BatchSender("test", "a", deliver, limits)
    sender.put("a", "1")
    for _ in range(3):
        sender.flush(10)
    assert taken == ["1"]
    sender.close(0)


def test_what_is_sent_at_once_is_bisected_too_and_a_refusal_is_told() -> None:
    def deliver(kind: str, data: Batch, timeout_s: float | None) -> None:
        if "bad" in data.texts():
            raise SendError("bad line", status=406)

    sender = BatchSender("test", "a", deliver)
    sender.deliver_now("a", ["1", "bad", "2"])
    counts = sender.counts["a"]
    assert (counts.delivered, counts.rejected) == (2, 1)
    with pytest.raises(SendError, match="refused"):
        BatchSender("test", "a", Deliveries(a=401)).deliver_now("a", ["1"])


EXIT_PROGRAM = """
import atexit, os
from wf_instrument.backends.wavefront import WavefrontClient
client = WavefrontClient(os.environ["RECEIVER"])
def send():
    client.send_metric("m", 1, None, "s", None)
HOW
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    ["send()", "atexit.register(send)", "atexit.register(client.close)\natexit.register(send)"],
)
def test_what_a_program_queued_last_is_delivered_when_it_ends(how: str) -> None:
    with LoopbackReceiver() as receiver:
        subprocess.run(
            [sys.executable, "-W", "error", "-c", EXIT_PROGRAM.replace("HOW", how)],
            env={**os.environ, "RECEIVER": receiver.url},
            check=True,
            timeout=60,
        )
        assert [line.split()[0] for line in receiver.lines()] == ['"m"']


@pytest.mark.slow
def test_a_receiver_that_never_answers_does_not_hang_a_program_that_ends() -> None:
    answer_now = threading.Event()

    def never(_: object) -> Answer:
        answer_now.wait(60)
        return Answer()

    with LoopbackReceiver(never) as receiver:
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", EXIT_PROGRAM.replace("HOW", "send()")],
            env={**os.environ, "RECEIVER": receiver.url},
            check=True,
            timeout=60,
        )
        assert time.monotonic() - began < 15
        answer_now.set()


@pytest.mark.expects_caught
def test_a_round_that_fails_does_not_hold_up_a_flush() -> None:
    def fail() -> None:
        raise ValueError("a supplier of the application")

    deliveries = Deliveries()
    limits = SenderLimits(flush_interval_s=3600)
    sender = BatchSender("test", "a", deliveries, limits, on_round=fail)
    sender.put("a", "1")
    assert sender.flush(10)
    assert deliveries.of("a") == ["1"]
    sender.close(5)


def test_two_threads_that_deliver_at_once_lose_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    is_delivering, go_on = threading.Event(), threading.Event()
    taken: list[str] = []

    def deliver(kind: str, batch: Batch, timeout_s: float | None) -> None:
        is_delivering.set()
        go_on.wait(20)
        taken.extend(batch.texts())

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sender = BatchSender("test", "a", deliver, SenderLimits(batch_size=1))
    start = threading.Thread.start
    flusher = threading.Thread(target=sender.flush, args=(20,))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        sender.put("a", "1\n")
        start(flusher)  # delivers by itself, since the worker cannot start
        assert is_delivering.wait(10)
    is_delivering.clear()
    sender.put("a", "2\n")  # now it can
    is_delivering.wait(0.2)
    go_on.set()
    flusher.join(20)
    assert sender.flush(10)
    assert sorted(taken) == ["1\n", "2\n"]
    assert (sender.waiting("a"), sender.counts["a"].delivered) == (0, 2)
    sender.close(5)


def test_data_sent_at_once_are_valid_too() -> None:
    deliveries = Deliveries()
    sender = BatchSender("test", "a", deliveries)
    sender.deliver_now("a", ["1", "2"])
    deliveries.refused["a"] = 503
    with pytest.raises(SendError):
        sender.deliver_now("a", ["3"])
    counts = sender.counts["a"]
    assert (counts.valid, counts.delivered, counts.dropped, counts.refused) == (2, 2, 1, 1)
    sender.close(5)
