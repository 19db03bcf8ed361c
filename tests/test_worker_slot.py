"""Worker slots: the lowest free number, let go of by the end of a process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wf_instrument.worker_slot import WorkerSlots, run_folder, taken_slot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from wf_instrument.worker_slot import WorkerSlots
slots = WorkerSlots()
print(slots.take(sys.argv[1], Path(sys.argv[2])), flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that holds a slot."""

    def __init__(self, folder: Path, name: str = "shop") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.slot = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=10)


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    made: list[Holder] = []
    yield made
    for one in made:
        one.kill()


@pytest.mark.slow
def test_each_process_takes_the_lowest_free_number(tmp_path: Path, holders: list[Holder]) -> None:
    holders += [Holder(tmp_path / "run"), Holder(tmp_path / "run"), Holder(tmp_path / "run")]
    assert [one.slot for one in holders] == [0, 1, 2]
    # However abruptly: the next one takes what was freed.
    holders.pop(1).kill()
    holders.append(Holder(tmp_path / "run"))
    assert holders[-1].slot == 1


@pytest.mark.slow
def test_processes_of_another_name_count_apart(tmp_path: Path, holders: list[Holder]) -> None:
    holders += [Holder(tmp_path / "run"), Holder(tmp_path / "run", "other")]
    assert [one.slot for one in holders] == [0, 0]


def test_one_process_has_one_number(tmp_path: Path) -> None:
    slots = WorkerSlots()
    assert [slots.take("shop", tmp_path / "run") for _ in range(3)] == [0, 0, 0]
    assert taken_slot("a", "b", "c") == taken_slot("a", "b", "c") == 0


def test_a_forked_child_takes_a_number_of_its_own_and_leaves_the_parents(tmp_path: Path) -> None:
    slots = WorkerSlots()
    assert slots.take("shop", tmp_path) == 0
    for _ in range(2):  # the first child's end freed what it took, and nothing else
        child = os.fork()
        if child == 0:
            os._exit(100 + slots.take("shop", tmp_path))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 101


def test_the_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    WorkerSlots().take("shop", folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_none_gives_number_0_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    assert WorkerSlots().take("shop", tmp_path / "file") == 0
    assert "no worker slot" in caplog.text


def test_the_folder_is_in_the_runtime_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert run_folder() == tmp_path / "wf-instrument"
    # A directory of somebody else's session, or none at all.
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert run_folder().name == f"wf-instrument-{os.geteuid()}"
