"""The spool: whole files, shared by processes, oldest first, bounded, and never sent half."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback import Answer, LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontClient
from wf_instrument.errors import ConfigError, SendError, SpoolError
from wf_instrument.sender import Batch, BatchSender, SenderLimits, Spool
from wf_instrument.sender.batch import pack
from wf_instrument.sender.spool import destination_name
from wf_instrument.sender.spool_file import read_batch, read_header, write_batch

if TYPE_CHECKING:
    from wf_instrument.sender.delivery import Deliver

ELSEWHERE = Path(sys.executable).parent


def make(folder: Path, **options: int) -> Spool:
    return Spool(folder / "spool", "receiver", "points", **options)


def texts(spool: Spool) -> list[str]:
    """Take everything out, in order."""
    found = []
    while (claimed := spool.claim()) is not None:
        found += claimed.batch.texts()
        claimed.remove()
    return found


def is_left_alone(spool: Spool) -> bool:
    return spool.claim() is None and spool.is_empty


@given(data=st.lists(st.text(max_size=50), min_size=1, max_size=30), cut=st.integers(0, 30))
def test_a_file_gives_back_the_data_it_was_made_of(
    tmp_path: Path, data: list[str], cut: int
) -> None:
    batch = Batch([pack(data[:cut]), pack(data[cut:])])
    path = tmp_path / "file"
    with path.open("wb") as file:
        write_batch(file, batch)
    with path.open("rb") as file:
        assert read_batch(file).texts() == batch.texts()
    with path.open("rb") as file:
        assert read_header(file).count == len(data)


@given(damage=st.data())
def test_a_torn_or_damaged_file_is_never_read_as_data(
    tmp_path: Path, damage: st.DataObject
) -> None:
    batch = Batch.of([f"line {number}\n" for number in range(50)])
    path = tmp_path / "file"
    with path.open("wb") as file:
        write_batch(file, batch)
    whole = path.read_bytes()
    place = damage.draw(st.integers(0, len(whole) - 1))
    if damage.draw(st.booleans()):
        path.write_bytes(whole[:place])
    else:
        other = damage.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
        path.write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
    with path.open("rb") as file:
        try:
            data = read_batch(file).texts()
        except SpoolError:
            return
    assert data == batch.texts()  # the damage was in the white space of the first line


FIRST_LINE = (
    '{{"format": "wf-instrument-spool-1", "count": 1, "packed_bytes": {}, "checksum": 1,'
    ' "lengths_bytes": 4, "unpacked_bytes": 9}}'
)


@pytest.mark.parametrize("number", ["1e999", "2e15", "1e3", "7.0", "-1", "99999999999", "null"])
def test_a_first_line_is_believed_only_with_whole_numbers_that_can_be_true(number: str) -> None:
    with pytest.raises(SpoolError, match="first line that cannot be true"):
        read_header(BytesIO(FIRST_LINE.format(number).encode() + b"\n"))


def test_a_first_line_of_brackets_is_no_first_line() -> None:
    with pytest.raises(SpoolError, match="no readable first line"):
        read_header(BytesIO(b"[" * 998 + b"\n"))


def test_batches_come_out_in_the_order_they_went_in(tmp_path: Path) -> None:
    spool = make(tmp_path)
    for number in range(25):
        spool.add(Batch.of([f"{number}\n"]))
    assert texts(make(tmp_path)) == [f"{number}\n" for number in range(25)]
    assert spool.is_empty


def test_folder_and_files_are_the_users_alone(tmp_path: Path) -> None:
    spool = make(tmp_path)
    spool.add(Batch.of(["secret\n"]))
    for path in [*spool.path.iterdir(), spool.path, tmp_path / "spool"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_claimed_batch_is_claimed_by_one_alone(tmp_path: Path) -> None:
    one, other = make(tmp_path), make(tmp_path)
    one.add(Batch.of(["a\n"]))
    one.add(Batch.of(["b\n"]))
    first, second = one.claim(), other.claim()
    assert first is not None
    assert second is not None
    assert (first.batch.texts(), second.batch.texts()) == (["a\n"], ["b\n"])
    assert one.claim() is None
    first.keep(first.batch)
    again = other.claim()
    assert again is not None
    assert again.batch.texts() == ["a\n"]
    again.remove()
    second.remove()
    assert is_left_alone(one)


def test_the_rest_of_a_batch_keeps_its_place(tmp_path: Path) -> None:
    spool = make(tmp_path)
    spool.add(Batch.of(["a\n", "b\n"]))
    spool.add(Batch.of(["c\n"]))
    claimed = spool.claim()
    assert claimed is not None
    claimed.keep(Batch.of(["b\n"]))
    assert texts(spool) == ["b\n", "c\n"]


def test_a_torn_file_is_set_aside_and_counted_and_does_not_stop_the_others(tmp_path: Path) -> None:
    spool = make(tmp_path)
    spool.add(Batch.of(["a\n"]))
    spool.add(Batch.of(["b\n"]))
    oldest = min(spool.path.iterdir())
    oldest.write_bytes(oldest.read_bytes()[:-5])
    assert texts(spool) == ["b\n"]
    assert spool.torn == spool.status().torn == 1
    assert spool.clear() == 1
    assert list(spool.path.iterdir()) == []


def test_what_a_process_left_half_written_is_set_aside_by_the_next(tmp_path: Path) -> None:
    path = make(tmp_path).path
    (path / "00000000000000000001-1-1.new").write_bytes(b"half")
    spool = make(tmp_path)
    assert (spool.torn, spool.claim()) == (1, None)


def test_beyond_its_bound_the_oldest_batches_go_and_their_data_are_counted(tmp_path: Path) -> None:
    noise = [os.urandom(500).hex() + "\n" for _ in range(12)]
    spool = make(tmp_path, max_bytes=3000)
    lost = sum(spool.add(Batch.of([line])) for line in noise)
    kept = texts(spool)
    assert kept == noise[lost:]
    assert 0 < len(kept) < 12


def test_a_batch_being_delivered_is_not_thrown_out_for_a_newer_one(tmp_path: Path) -> None:
    spool = make(tmp_path, max_bytes=1)
    spool.add(Batch.of(["a\n"]))
    claimed = spool.claim()
    assert claimed is not None
    assert spool.add(Batch.of(["b\n"])) == 0
    assert spool.add(Batch.of(["c\n"])) == 1
    claimed.keep(claimed.batch)
    assert texts(spool) == ["a\n", "c\n"]


def test_the_status_tells_files_data_bytes_and_age(tmp_path: Path) -> None:
    spool = make(tmp_path)
    assert spool.status().oldest_s is None
    spool.add(Batch.of(["a\n", "b\n"]))
    spool.add(Batch.of(["c\n"]))
    status = spool.status()
    assert (status.destination, status.kind, status.files, status.data) == (
        "receiver", "points", 2, 3,
    )  # fmt: skip
    assert status.byte_size == sum(path.stat().st_size for path in spool.path.iterdir())
    assert status.oldest_s is not None


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("http://127.0.0.1:2878", "http_127.0.0.1_2878"),
        ("https://a.b/../../etc", "https_a.b_.._.._etc"),
        ("..", "_"),
        ("", "_"),
    ],
)
def test_a_destinations_name_stays_within_the_folder(server: str, name: str) -> None:
    assert destination_name(server) == name
    assert "/" not in name


def test_a_folder_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(ConfigError, match="spool folder"):
        make(tmp_path)


class Receiver:
    """Takes data, or nothing at all while it is down."""

    def __init__(self, *, is_down: bool = False) -> None:
        self.is_down = is_down
        self.taken: list[str] = []

    def __call__(self, kind: str, batch: Batch, timeout_s: float | None) -> None:
        if self.is_down:
            raise SendError("down")
        self.taken += batch.texts()


def sender_of(folder: Path, receiver: Deliver, **limits: float) -> BatchSender:
    return BatchSender(
        "test",
        ["points"],
        receiver,
        SenderLimits(**{"flush_interval_s": 0.02, "first_pause_s": 0.02, **limits}),  # type: ignore[arg-type]  # ints among them
        spool=lambda kind: Spool(folder / "spool", "receiver", kind),
    )


def wait_until(condition: object, sender: BatchSender) -> None:
    """Wait for what the sender's threads bring about."""
    assert callable(condition)
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError(sender.counts)


def test_an_outage_is_written_to_disk_and_made_up_for_in_order(tmp_path: Path) -> None:
    receiver = Receiver(is_down=True)
    sender = sender_of(tmp_path, receiver, queue_size=40, batch_size=10, block_s=20)
    for number in range(500):
        assert sender.put("points", f"{number}\n")
    wait_until(lambda: sender.counts["points"].spooled >= 460, sender)
    assert sender.waiting("points") <= 40
    receiver.is_down = False
    wait_until(lambda: len(receiver.taken) == 500 and sender.flush(5), sender)
    assert receiver.taken == [f"{number}\n" for number in range(500)]
    counts = sender.counts["points"]
    assert (counts.delivered, counts.dropped, counts.unspooled) == (500, 0, counts.spooled)
    sender.close(5)


def test_what_was_on_its_way_when_an_outage_began_keeps_its_place_in_the_spool(
    tmp_path: Path,
) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    receiver = Receiver(is_down=True)

    def slow(kind: str, batch: Batch, timeout_s: float | None) -> None:
        begun.set()
        assert goes_on.wait(20)
        receiver(kind, batch, timeout_s)

    sender = sender_of(tmp_path, slow, queue_size=40, batch_size=10)
    for number in range(10):
        assert sender.put("points", f"{number}\n")
    assert begun.wait(20)
    for number in range(10, 40):  # the buffer is about to be full, and goes to the spool
        assert sender.put("points", f"{number}\n")
    wait_until(lambda: sender.counts["points"].spooled >= 20, sender)
    goes_on.set()  # and fails
    wait_until(lambda: sender.counts["points"].errors, sender)
    receiver.is_down = False
    wait_until(lambda: len(receiver.taken) == 40 and sender.flush(5), sender)
    assert receiver.taken == [f"{number}\n" for number in range(40)]
    counts = sender.counts["points"]
    assert (counts.delivered, counts.dropped, counts.unspooled) == (40, 0, counts.spooled)
    sender.close(5)


def test_what_is_left_at_the_end_is_spooled_and_delivered_by_the_next_process(
    tmp_path: Path,
) -> None:
    sender = sender_of(tmp_path, Receiver(is_down=True), flush_interval_s=3600)
    for number in range(30):
        sender.put("points", f"{number}\n")
    sender.close(0.2)
    assert sender.counts["points"].dropped == 0
    receiver = Receiver()
    # Nothing is put: what an earlier process left is reason enough to deliver.
    successor = sender_of(tmp_path, receiver)
    wait_until(lambda: len(receiver.taken) == 30, successor)
    successor.close(5)
    assert receiver.taken == [f"{number}\n" for number in range(30)]


def test_a_disk_that_takes_nothing_leaves_the_data_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver(is_down=True)
    sender = sender_of(tmp_path, receiver, queue_size=10)
    tried = threading.Event()

    def full(self: Spool, batch: Batch, path: Path) -> None:
        tried.set()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "write", full)
    for number in range(12):
        sender.put("points", f"{number}\n")
    assert tried.wait(10)
    receiver.is_down = False
    wait_until(lambda: len(receiver.taken) == 10, sender)
    sender.close(5)
    counts = sender.counts["points"]
    assert (counts.delivered, counts.dropped, counts.spooled) == (10, 2, 0)


FEEDER = """
import os, sys
from wf_instrument.backends.wavefront import WavefrontClient
client = WavefrontClient(
    os.environ["RECEIVER"], spool_dir=os.environ["SPOOL"], flush_interval_seconds=0.05,
    on_full="block", batch_size=5000)
for number in range(100_000):
    client.send_metric(f"m{number}", 1, None, "s", None)
while client.sender.waiting("points"):
    client.sender.flush(0.1)
print("spooled", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_was_spooled(tmp_path: Path) -> None:
    with LoopbackReceiver() as receiver:
        receiver.answer = lambda _: Answer(503)
        spool = tmp_path / "spool"
        process = subprocess.Popen(
            [sys.executable, "-c", FEEDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ELSEWHERE,
            env={**os.environ, "RECEIVER": receiver.url, "SPOOL": str(spool)},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"spooled\n"
        process.kill()
        process.communicate(timeout=30)
        receiver.answer = lambda _: Answer()
        client = WavefrontClient(receiver.url, spool_dir=spool)
        assert client.sender.flush(60)
        names = [line.split()[0] for line in receiver.lines()]
        client.close()
    assert set(names) == {f'"m{number}"' for number in range(100_000)}
    assert len(names) <= 100_000 + 5000  # duplicates of the one batch in flight, at most


def test_a_buffer_that_fills_during_a_long_delivery_is_spooled(tmp_path: Path) -> None:
    is_delivering, go_on = threading.Event(), threading.Event()

    def hang(kind: str, batch: Batch, timeout_s: float | None) -> None:
        is_delivering.set()
        go_on.wait(20)

    limits = SenderLimits(queue_size=20, batch_size=5, flush_interval_s=3600)
    sender = BatchSender("test", ["points"], hang, limits, spool=lambda _: make(tmp_path))
    for number in range(5):
        assert sender.put("points", f"{number}\n")
    assert is_delivering.wait(10)
    for number in range(5, 100):
        wait_until(lambda: sender.remaining_capacity("points") > 0, sender)
        assert sender.put("points", f"{number}\n")
    go_on.set()
    sender.close(10)
    assert sender.counts["points"].dropped == 0


def test_a_worker_without_a_spooler_is_started_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    started: list[str] = []

    def start_workers_alone(thread: threading.Thread) -> None:
        if thread.name.endswith("-spool"):
            raise RuntimeError("can't start new thread")
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_workers_alone)
    taken: list[str] = []

    def deliver(kind: str, batch: Batch, timeout_s: float | None) -> None:
        taken.extend(batch.texts())

    sender = BatchSender("test", ["points"], deliver, spool=lambda _: make(tmp_path))
    for number in range(10):
        assert sender.put("points", f"{number}\n")
    assert sender.flush(10)
    sender.close(5)
    assert (len(started), len(taken)) == (1, 10)


def test_a_child_forked_during_a_write_does_not_keep_the_file_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = make(tmp_path)
    fsync = os.fsync
    children: list[int] = []
    begin, end = os.pipe()

    def fork_first(descriptor: int) -> None:
        if not children:
            children.append(os.fork())
            if not children[0]:
                os.close(end)
                os.read(begin, 1)  # until the parent is done
                os._exit(0)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fork_first)
    spool.add(Batch.of(["a\n"]))
    try:
        assert texts(spool) == ["a\n"]
    finally:
        os.close(end)
        os.close(begin)
        os.waitpid(children[0], 0)


def test_a_process_that_starts_during_a_write_does_not_make_it_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = make(tmp_path)
    others: list[Spool] = []
    fdopen = os.fdopen

    def start_another(descriptor: int, mode: str, *, closefd: bool = True) -> IO[Any]:
        if mode == "wb" and not others:
            others.append(make(tmp_path))  # between opening the file and locking it
        return fdopen(descriptor, mode, closefd=closefd)

    monkeypatch.setattr(os, "fdopen", start_another)
    spool.add(Batch.of(["a\n"]))
    assert (texts(spool), len(others), others[0].torn) == (["a\n"], 1, 0)


def test_the_bound_holds_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = make(tmp_path, max_bytes=2000)
    spool.add(Batch.of([os.urandom(800).hex() + "\n"]))
    past = time.time_ns() - 86_400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: past)
    assert spool.add(Batch.of([os.urandom(1500).hex() + "\n"])) == 1
    assert spool.status().byte_size <= 2000


def test_a_batch_is_in_the_spool_although_no_room_could_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    spool = make(tmp_path, max_bytes=1)
    spool.add(Batch.of(["a\n"]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert spool.add(Batch.of(["b\n"])) == 0
    assert texts(spool) == ["a\n", "b\n"]


def test_giving_up_waits_for_a_write_that_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_writing, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        is_writing.set()
        go_on.wait(20)
        fsync(descriptor)

    def refuse(kind: str, batch: Batch, timeout_s: float | None) -> None:
        raise SendError("down", status=503)

    monkeypatch.setattr(os, "fsync", slow)
    sender = BatchSender("test", ["points"], refuse, spool=lambda _: make(tmp_path))
    sender.put("points", "a\n")
    threading.Thread(target=sender.flush, args=(1,)).start()
    assert is_writing.wait(10)
    threading.Timer(0.2, go_on.set).start()
    sender.give_up()  # as at the end of the interpreter
    assert sender.counts["points"].spooled == 1
    sender.close(5)


def test_data_that_a_full_spool_drops_are_counted_once(tmp_path: Path) -> None:
    def refuse(kind: str, batch: Batch, timeout_s: float | None) -> None:
        raise SendError("down", status=503)

    limits = SenderLimits(batch_size=1, flush_interval_s=3600)
    spool = make(tmp_path, max_bytes=1)
    sender = BatchSender("test", ["points"], refuse, limits, spool=lambda _: spool)
    for number in range(3):
        sender.put("points", f"{number}\n")
        sender.give_up()  # a file each
    sender.close(0)
    counts = sender.counts["points"]
    assert counts.dropped >= 1
    assert counts.valid == counts.dropped + counts.spooled - counts.unspooled
