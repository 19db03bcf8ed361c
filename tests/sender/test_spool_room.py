"""The spool's bound, and its listings: cheap for one process, kept by several."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wf_instrument.errors import SendError
from wf_instrument.sender import Batch, BatchSender, SenderLimits, Spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.sender.spool import ClaimedBatch


def make(folder: Path, max_bytes: int = 1 << 30) -> Spool:
    return Spool(folder / "spool", "receiver", "points", max_bytes)


def noise(size: int = 500) -> Batch:
    return Batch.of([os.urandom(size).hex() + "\n"])


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was listed."""
    seen: list[Path] = []
    iterdir = Path.iterdir

    def counting(path: Path) -> object:
        seen.append(path)
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", counting)
    return seen


def test_adding_does_not_list_the_folder_each_time(tmp_path: Path, listings: list[Path]) -> None:
    spool = make(tmp_path)
    for _ in range(50):
        spool.add(noise(10))
    assert len(listings) < 5


def test_taking_out_does_not_list_the_folder_each_time(
    tmp_path: Path, listings: list[Path]
) -> None:
    spool = make(tmp_path)
    for number in range(50):
        spool.add(Batch.of([f"{number}\n"]))
    listings.clear()
    texts = []
    while (claimed := spool.claim()) is not None:
        texts += claimed.batch.texts()
        claimed.remove()
    assert texts == [f"{number}\n" for number in range(50)]
    assert len(listings) < 5


def test_the_bound_holds_for_several_processes_together(tmp_path: Path) -> None:
    spools = [make(tmp_path, 20_000) for _ in range(4)]
    lost = 0
    for round_ in range(40):
        lost += spools[round_ % 4].add(noise())
    status = spools[0].status()
    # Each may add a 64th of the bound, here less than a file, before it looks again.
    assert status.byte_size <= 20_000
    assert status.data + lost == 40
    assert status.files > 20_000 // 1000 // 2


def test_two_that_make_room_at_once_delete_no_more_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make(tmp_path, 6000), make(tmp_path, 6000)
    lost = [one.add(noise()), other.add(noise())]
    while not any(lost):
        lost.append(one.add(noise()))
    assert lost[-1] == 1
    kept = one.status().files
    unlink = Path.unlink
    todo = [noise()]

    def add_meanwhile(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".batch" and todo:
            lost.append(other.add(todo.pop()))
        unlink(path, missing_ok)

    lost.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", add_meanwhile)
        lost.append(one.add(noise()))
    assert one.status().files >= kept
    lost.append(other.add(noise()))
    assert (one.status().files, sum(lost)) == (kept, 3)


def test_a_batch_that_cannot_be_deleted_is_let_go_and_not_delivered_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    spool = make(tmp_path)
    spool.add(Batch.of(["a\n"]))
    claimed = spool.claim()
    assert claimed is not None
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(PermissionError):
            claimed.remove()
    assert spool.claim() is None
    by_another = make(tmp_path).claim()
    assert by_another is not None
    by_another.remove()


def test_a_claimed_batch_that_shrinks_stays_claimed(tmp_path: Path) -> None:
    one, other = make(tmp_path), make(tmp_path)
    one.add(Batch.of(["a\n", "b\n", "c\n"]))
    claimed = one.claim()
    assert claimed is not None
    claimed.shrink(Batch.of(["b\n", "c\n"]))
    assert other.claim() is None
    claimed.let_go()
    left = other.claim()
    assert left is not None
    assert left.batch.texts() == ["b\n", "c\n"]
    left.remove()


class HookedSpool(Spool):
    """Has something happen right after a look that found nothing."""

    def __init__(self, folder: Path) -> None:
        self.after_is_empty: Callable[[], object] | None = None
        self.after_claim: Callable[[], object] | None = None
        super().__init__(folder, "receiver", "points")

    @property
    def is_empty(self) -> bool:
        found = super().is_empty
        hook, self.after_is_empty = self.after_is_empty, None
        if hook is not None:
            hook()
        return found

    def claim(self) -> ClaimedBatch | None:
        found = super().claim()
        if found is None:
            hook, self.after_claim = self.after_claim, None
            if hook is not None:
                hook()
        return found


@pytest.mark.parametrize("look", ["after_is_empty", "after_claim"])
def test_a_flush_sees_what_is_spooled_while_it_looks(tmp_path: Path, look: str) -> None:
    def down(kind: str, batch: Batch, timeout_s: float | None) -> None:
        raise SendError("down", status=503)

    spool = HookedSpool(tmp_path)
    limits = SenderLimits(flush_interval_s=3600, first_pause_s=0.01)
    sender = BatchSender("test", ["points"], down, limits, spool=lambda _: spool)

    def write() -> None:
        sender.put("points", "late\n")
        sender.give_up()

    if look == "after_claim":  # there is something, but another one delivers it
        other = Spool(tmp_path, "receiver", "points")
        other.add(Batch.of(["other's\n"]))
        held = other.claim()
        assert held is not None
    sender.put("points", "early\n")
    setattr(spool, look, write)
    assert not sender.flush(2)
    assert sender.counts["points"].spooled >= 1
    sender.close(0)


WRITER = """
import os, sys
from pathlib import Path
from wf_instrument.sender import Batch, Spool
spool = Spool(Path(sys.argv[1]), "receiver", "points", 40_000)
sys.stdin.readline()
lost = [spool.add(Batch.of([os.urandom(500).hex() + "\\n"] * 3)) for _ in range(60)]
print(sum(lost))
"""


@pytest.mark.slow
def test_processes_that_write_at_once_keep_the_bound_and_count_each_datum_once(
    tmp_path: Path,
) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    lost = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    spool = Spool(tmp_path, "receiver", "points", 40_000)
    status = spool.status()
    assert status.data + sum(lost) == 4 * 60 * 3
    # A 64th for each, and what they wrote last while one of them made room on a busy machine.
    assert 30_000 < status.byte_size < 60_000
