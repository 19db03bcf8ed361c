"""The end of a sender: within its time, whatever the receiver and the disk do."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from string import ascii_lowercase
from typing import TYPE_CHECKING

import pytest

from wf_instrument.errors import SendError
from wf_instrument.sender import Batch, BatchSender, SenderLimits, Spool

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = SenderLimits(flush_interval_s=3600, first_pause_s=0.01)


def refuse(kind: str, batch: Batch, timeout_s: float | None) -> None:
    raise SendError("down", status=503)


def slow_down_disk(monkeypatch: pytest.MonkeyPatch, pause_s: float) -> None:
    fsync, pause = os.fsync, threading.Event()

    def slow(descriptor: int) -> None:
        pause.wait(pause_s)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)


def test_data_of_single_batches_share_files_and_leave_them_one_by_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "receiver", "events")
    sizes = {"events": 1}
    sender = BatchSender(
        "test", ["events"], refuse, LIMITS, batch_sizes=sizes, spool=lambda _: spool
    )
    for number in range(1000):
        assert sender.put("events", f"{number}\n")
    sender.close(0.1)
    assert (spool.status().data, sender.counts["events"].dropped) == (1000, 0)
    assert spool.status().files < 10
    taken: list[list[str]] = []

    def take(kind: str, batch: Batch, timeout_s: float | None) -> None:
        taken.append(batch.texts())

    successor = BatchSender(
        "test", ["events"], take, LIMITS, batch_sizes=sizes, spool=lambda _: spool
    )
    assert successor.flush(20)
    successor.close(5)
    assert taken == [[f"{number}\n"] for number in range(1000)]


@pytest.mark.slow
def test_closing_keeps_to_its_time_on_a_slow_disk_and_counts_and_tells_what_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slow_down_disk(monkeypatch, 0.15)
    kinds = ascii_lowercase
    sender = BatchSender(
        "test", kinds, refuse, LIMITS, spool=lambda kind: Spool(tmp_path, "receiver", kind)
    )
    sender.give_up()
    for kind in kinds:
        sender.put(kind, "1\n")
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        sender.close(0.2)
    assert time.monotonic() - began < 6  # 26 files of 0.3 s each
    counts = sender.counts.values()
    lost = sum(count.dropped for count in counts)
    assert lost
    assert sum(count.spooled for count in counts) + lost == len(kinds)
    assert caplog.text.count("left undelivered") == lost


def test_what_is_put_while_it_closes_is_delivered_or_refused_but_never_left() -> None:
    taken: list[str] = []
    outcomes: list[bool] = []

    def take(kind: str, batch: Batch, timeout_s: float | None) -> None:
        taken.extend(batch.texts())
        if len(outcomes) < 3:
            outcomes.append(sender.put(kind, f"{len(outcomes)}\n"))

    sender = BatchSender("test", ["events"], take, LIMITS)
    sender.put("events", "first\n")
    sender.close(10)
    assert outcomes == [True, False]  # by then it is shut
    assert taken == ["first\n", "0\n"]
    assert sender.counts["events"].delivered == 2
    assert sender.counts["events"].dropped == sender.counts["events"].refused == 1


BUSY_PROGRAM = """
import atexit, os, sys, threading
taken, accepted = [], []
@atexit.register  # the first, and so the last that is called
def tell():
    os.write(1, f"{len(accepted)} {len(taken)}".encode())
from wf_instrument.sender import BatchSender, SenderLimits
from wf_instrument.ticker import Ticker
def take(kind, batch, timeout_s):
    taken.extend(batch.texts())
sender = BatchSender("test", ["events"], take, SenderLimits(flush_interval_s=0.01))
is_busy = threading.Event()
def put():
    if sender.put("events", "1\\n"):
        accepted.append(1)
    if taken:
        is_busy.set()
ticker = Ticker("busy", put, 0)
ticker.start()
is_busy.wait(30)
"""


def test_at_the_end_of_the_interpreter_tickers_end_before_the_last_delivery() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUSY_PROGRAM],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    accepted, taken = map(int, done.stdout.split())
    assert accepted == taken > 0
    assert done.stderr == ""


EXIT_PROGRAM = """
import os, sys, threading
from pathlib import Path
from wf_instrument.errors import SendError
from wf_instrument.sender import BatchSender, SenderLimits, Spool, batch_sender
fsync, pause = os.fsync, threading.Event()
def slow(descriptor):
    pause.wait(0.5)
    fsync(descriptor)
os.fsync = slow
batch_sender.EXIT_TIMEOUT_S = 0.5
def refuse(kind, batch, timeout_s):
    raise SendError("down", status=503)
limits = SenderLimits(flush_interval_s=3600, first_pause_s=0.01)
senders = [
    BatchSender(f"s{number}", "ab", refuse, limits,
        spool=lambda kind: Spool(Path(sys.argv[1]), f"r{number}", kind))
    for number in range(10)
]
for sender in senders:
    for kind in "ab":
        sender.put(kind, "1\\n")
"""


@pytest.mark.slow
def test_the_end_of_the_interpreter_keeps_to_its_time_with_many_senders(tmp_path: Path) -> None:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", EXIT_PROGRAM, str(tmp_path)],
        check=True,
        timeout=60,
        capture_output=True,
    )
    assert time.monotonic() - began < 15  # 20 files of a second each


DELIVERER = """
import os, sys, threading
from pathlib import Path
from wf_instrument.sender import BatchSender, SenderLimits, Spool
pause = threading.Event()
def take(kind, batch, timeout_s):
    pause.wait(0.02)
    os.write(1, batch.body)
sender = BatchSender("test", ["events"], take, SenderLimits(flush_interval_s=0.05),
    batch_sizes={"events": 1}, spool=lambda kind: Spool(Path(sys.argv[1]), "receiver", kind))
pause.wait(60)
"""


@pytest.mark.slow
def test_a_process_killed_while_it_delivers_a_file_repeats_the_last_second_of_it(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path, "receiver", "events")
    sent = [f"{number}\n" for number in range(5000)]
    spool.add(Batch.of(sent))
    process = subprocess.Popen(
        [sys.executable, "-c", DELIVERER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    taken = [process.stdout.readline().decode() for _ in range(120)]
    process.send_signal(signal.SIGKILL)
    taken += process.communicate(timeout=30)[0].decode().splitlines(keepends=True)
    claimed = spool.claim()
    assert claimed is not None
    left = claimed.batch.texts()
    assert sent[len(sent) - len(left) :] == left
    assert 5000 - len(taken) <= len(left) < 5000 - 20
    claimed.remove()


@pytest.mark.expects_caught
def test_a_spool_that_fails_unexpectedly_stops_neither_its_thread_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Spool, batch: Batch) -> int:
        raise ValueError("a mistake")

    monkeypatch.setattr(Spool, "add", fail)
    sender = BatchSender(
        "test", "a", refuse, LIMITS, spool=lambda kind: Spool(tmp_path, "receiver", kind)
    )
    sender.put("a", "1\n")
    sender.close(0.1)
    assert sender.counts["a"].dropped == 1
