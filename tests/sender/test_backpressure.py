"""A full queue: refused at once, or waited for, and every datum accounted for."""

from __future__ import annotations

import logging
import threading
import time
from itertools import count

import pytest

from wf_instrument.errors import SendError
from wf_instrument.sender import Batch, BatchSender, SenderLimits


def test_a_caller_who_chose_to_wait_loses_nothing() -> None:
    taken: list[str] = []

    def deliver(kind: str, batch: Batch, timeout_s: float | None) -> None:
        taken.extend(batch.texts())

    limits = SenderLimits(queue_size=5, batch_size=2, block_s=30)
    sender = BatchSender("test", "a", deliver, limits)

    def put(thread: int) -> None:
        for number in range(200):
            assert sender.put("a", f"{thread}-{number}\n")

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.close(10)
    assert sorted(taken) == sorted(f"{t}-{n}\n" for t in range(4) for n in range(200))
    assert sender.counts["a"].dropped == 0


def test_waiting_ends_with_its_time_and_the_datum_is_counted() -> None:
    def refuse(kind: str, batch: Batch, timeout_s: float | None) -> None:
        raise SendError("down", status=503)

    sender = BatchSender("test", "a", refuse, SenderLimits(queue_size=1, block_s=0.05))
    assert sender.put("a", "1\n")
    began = time.monotonic()
    assert not sender.put("a", "2\n")
    assert 0.05 <= time.monotonic() - began < 5
    sender.close(0)
    counts = sender.counts["a"]
    assert (counts.valid, counts.refused, counts.dropped) == (1, 1, 2)


def test_closing_ends_all_waiting() -> None:
    is_delivering, go_on = threading.Event(), threading.Event()

    def hang(kind: str, batch: Batch, timeout_s: float | None) -> None:
        is_delivering.set()
        go_on.wait(20)

    sender = BatchSender("test", "a", hang, SenderLimits(queue_size=1, block_s=60))
    sender.put("a", "1\n")
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(sender.put("a", "2\n")))
    waiter.start()
    assert is_delivering.wait(10)
    sender.close(0.05)
    waiter.join(10)
    go_on.set()
    assert results == [False]


def test_the_worker_never_waits_for_itself() -> None:
    results: list[bool] = []
    sender: BatchSender

    def deliver(kind: str, batch: Batch, timeout_s: float | None) -> None:
        if not results:
            results.append(sender.put("a", "from the worker\n"))

    sender = BatchSender("test", "a", deliver, SenderLimits(queue_size=1, block_s=60))
    sender.put("a", "1\n")
    assert sender.flush(10)
    assert results == [False]
    sender.close(5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_over_an_outage_every_datum_is_delivered_or_counted_and_memory_stays_bounded(
    seed: int,
) -> None:
    """An outage in small: with pauses of a thousandth of the usual, a minute takes 60 ms."""
    is_down = threading.Event()
    taken: list[str] = []
    statuses = count(seed)

    def deliver(kind: str, batch: Batch, timeout_s: float | None) -> None:
        if is_down.is_set():
            raise SendError("down", status=(None, 500, 429, 401)[next(statuses) % 4])
        taken.extend(batch.texts())

    limits = SenderLimits(
        queue_size=1000, batch_size=100, flush_interval_s=0.005, first_pause_s=0.0005
    )
    sender = BatchSender("test", "ab", deliver, limits)
    sent = refused = most = 0
    for phase in ("up", "down", "up"):
        is_down.set() if phase == "down" else is_down.clear()
        until = time.monotonic() + 0.06
        while time.monotonic() < until or (phase == "down" and not refused):
            for kind in "ab":
                sent += 1
                refused += not sender.put(kind, f"{kind}{sent}\n")
                most = max(most, sender.waiting(kind))
    sender.close(20)
    assert most <= 1000
    assert refused
    counts = sender.counts.values()
    assert sum(c.delivered for c in counts) == len(taken) == len(set(taken))
    assert sum(c.delivered + c.dropped for c in counts) == sent
    assert sum(c.dropped for c in counts) == refused
    for kind in "ab":  # what was kept came in its order
        numbers = [int(line[1:]) for line in taken if line[0] == kind]
        assert numbers == sorted(numbers)


def test_a_full_batch_in_bytes_goes_without_waiting_for_the_interval() -> None:
    is_delivered = threading.Event()

    def deliver(kind: str, batch: Batch, timeout_s: float | None) -> None:
        is_delivered.set()

    limits = SenderLimits(flush_interval_s=3600, queue_bytes=1000, batch_bytes=400)
    sender = BatchSender("test", "a", deliver, limits)
    for _ in range(5):
        assert sender.put("a", "x" * 99 + "\n")
    assert is_delivered.wait(10)
    sender.close(5)


def test_a_log_handler_that_puts_does_not_lock_up_with_a_refused_put() -> None:
    is_in_handler, has_handler = threading.Event(), threading.Event()

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            is_in_handler.set()
            has_handler.wait(0.2)
            sender.put("a", "1\n")

    def hang(kind: str, batch: Batch, timeout_s: float | None) -> None:
        raise SendError("down", status=503)

    sender = BatchSender("test", "a", hang, SenderLimits(queue_size=1, flush_interval_s=3600))
    sender.put("a", "1\n")
    logger = logging.getLogger("wf_instrument.sender.batch_sender")
    handler = Counting()
    logger.addHandler(handler)
    try:
        logs = threading.Thread(target=logger.warning, args=("of the application",), daemon=True)
        logs.start()
        assert is_in_handler.wait(10)
        puts = threading.Thread(target=sender.put, args=("a", "2\n"), daemon=True)
        puts.start()
        for thread in (logs, puts):
            thread.join(5)
            assert not thread.is_alive()
    finally:
        logger.removeHandler(handler)
    sender.close(0)


def test_a_log_filter_that_raises_does_not_reach_the_caller() -> None:
    def fail(record: logging.LogRecord) -> bool:
        raise ValueError("a filter of the application")

    go_on = threading.Event()

    def refuse(kind: str, batch: Batch, timeout_s: float | None) -> None:
        go_on.wait(20)
        raise SendError("bad", status=400)

    sender = BatchSender("test", "a", refuse, SenderLimits(queue_size=1, flush_interval_s=3600))
    names = ("batch_sender", "delivery")
    loggers = [logging.getLogger(f"wf_instrument.sender.{name}") for name in names]
    for logger in loggers:
        logger.addFilter(fail)
    try:
        assert sender.put("a", "1\n")
        assert not sender.put("a", "2\n")
        go_on.set()
        assert sender.flush(10)
    finally:
        for logger in loggers:
            logger.removeFilter(fail)
    assert sender.counts["a"].rejected == 1
    sender.close(5)
