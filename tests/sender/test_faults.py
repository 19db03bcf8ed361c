"""Mistakes in delivering: they cost the datum that is at fault, and no other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from wf_instrument.errors import SendError
from wf_instrument.sender import Batch, BatchSender, SenderLimits, Spool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.expects_caught


class Deliveries:
    """Fails by a mistake on what it is told, as often as it is told."""

    def __init__(self, *bad: str, times: int = 1_000_000) -> None:
        self.bad = bad
        self.times = times
        self.calls = 0
        self.taken: list[str] = []

    def __call__(self, kind: str, batch: Batch, timeout_s: float | None) -> None:
        self.calls += 1
        if self.times and (not self.bad or set(self.bad) & set(batch.texts())):
            self.times -= 1
            raise ZeroDivisionError
        self.taken += batch.texts()


def make(deliver: Deliveries, batch_size: int = 1000, spool: Spool | None = None) -> BatchSender:
    limits = SenderLimits(flush_interval_s=0.01, first_pause_s=0.01, batch_size=batch_size)
    return BatchSender(
        "test", "a", deliver, limits, spool=None if spool is None else lambda _: spool
    )


def settle(sender: BatchSender) -> None:
    """Wait until nothing is left."""
    pause = threading.Event()
    for _ in range(2000):
        if sender.flush(1):
            return
        pause.wait(0.005)
    raise AssertionError(sender.counts)


@pytest.mark.parametrize("bad", [["7"], ["0"], ["99"], ["40", "41", "42"]])
def test_one_bad_datum_does_not_take_the_good_ones_with_it(bad: list[str]) -> None:
    deliver = Deliveries(*bad)
    sender = make(deliver)
    data = [str(number) for number in range(100)]
    for datum in data:
        sender.put("a", datum)
    settle(sender)
    assert deliver.taken == [datum for datum in data if datum not in bad]
    assert sender.counts["a"].rejected == len(bad)
    sender.close(5)


@pytest.mark.parametrize("batch_size", [1, 1000])
def test_a_mistake_that_passes_costs_nothing(batch_size: int) -> None:
    deliver = Deliveries(times=2)
    sender = make(deliver, batch_size)
    for number in range(3):
        sender.put("a", str(number))
    settle(sender)
    assert (sorted(deliver.taken), sender.counts["a"].rejected) == (["0", "1", "2"], 0)
    sender.close(5)


@pytest.mark.slow
def test_a_bad_datum_that_travels_alone_does_not_hold_up_the_others_for_ever() -> None:
    deliver = Deliveries("bad")
    sender = make(deliver, batch_size=1)
    for datum in ("bad", "good"):
        sender.put("a", datum)
    settle(sender)
    assert (deliver.taken, sender.counts["a"].rejected) == (["good"], 1)
    sender.close(5)


def test_a_mistake_in_every_delivery_is_not_tried_on_every_datum() -> None:
    deliver = Deliveries()
    sender = make(deliver)
    for number in range(1000):
        sender.put("a", str(number))
    with pytest.raises(SendError, match="failed by ZeroDivisionError"):
        sender.deliver_now("a", ["1"])
    assert not sender.flush(0.02)
    sender.close(0)
    assert deliver.calls < 500
    counts = sender.counts["a"]
    assert counts.valid == counts.dropped - counts.refused + counts.rejected


def test_a_file_of_the_spool_loses_its_bad_datum_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "receiver", "a")
    spool.add(Batch.of([str(number) for number in range(100)]))
    deliver = Deliveries("0", "50")
    sender = make(deliver, batch_size=10, spool=spool)
    settle(sender)
    assert (len(deliver.taken), sender.counts["a"].rejected) == (98, 2)
    assert spool.is_empty
    sender.close(5)
