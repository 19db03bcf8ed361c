"""`wf-instrument spool`: what waits on disk is seen, delivered and deleted from the shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopback import Answer, LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontClient

COMMAND = [sys.executable, "-m", "wf_instrument", "spool"]
ELSEWHERE = Path(sys.executable).parent


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ELSEWHERE,
        env={**os.environ, **variables},
    )


def fill(folder: Path, receiver: LoopbackReceiver, lines: int = 3) -> None:
    """Leave in the spool what the receiver refuses to take."""
    receiver.answer = lambda _: Answer(503)
    client = WavefrontClient(receiver.url, spool_dir=folder)
    for number in range(lines):
        client.send_metric(f"m{number}", number, None, "s", None)
    client.send_distribution("h", [(1.0, 2)], {"!M"}, None, "s", None)
    client.close(0.1)
    receiver.answer = lambda _: Answer()


@pytest.mark.slow
def test_what_waits_is_shown_delivered_and_gone(tmp_path: Path) -> None:
    with LoopbackReceiver() as receiver:
        fill(tmp_path, receiver)
        name = f"http_127.0.0.1_{receiver.port}"
        shown = run("status", "--dir", str(tmp_path))
        assert shown.returncode == 0
        lines = [line.split() for line in shown.stdout.splitlines()]
        assert lines[0] == ["destination", "kind", "batches", "data", "size", "oldest", "torn"]
        assert [line[:4] for line in lines[1:]] == [
            [name, "histograms", "1", "1"], [name, "points", "1", "3"],
        ]  # fmt: skip
        assert all(len(line) <= 80 for line in shown.stdout.splitlines())
        data = json.loads(run("status", "--json", WF_SPOOL_DIR=str(tmp_path)).stdout)
        assert {(one["kind"], one["data"]) for one in data} == {("points", 3), ("histograms", 1)}
        url = f"wavefront://127.0.0.1:{receiver.port}"
        done = run("drain", "--dir", str(tmp_path), "--reporter", url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "4 data left the spool, 0 wait\n"
        assert sorted(line.split()[0] for line in receiver.lines()) == [
            "!M", '"m0"', '"m1"', '"m2"',
        ]  # fmt: skip
        assert run("status", "--dir", str(tmp_path)).stdout == "nothing waits\n"


@pytest.mark.slow
def test_a_drain_that_fails_says_what_is_left(tmp_path: Path) -> None:
    with LoopbackReceiver() as receiver:
        fill(tmp_path, receiver)
        receiver.answer = lambda _: Answer(503)
        url = f"wavefront://127.0.0.1:{receiver.port}"
        done = run("drain", "--dir", str(tmp_path), "--timeout", "1s", WF_REPORTER=url)
        assert done.returncode == 1
        assert "0 data left the spool, 4 wait" in done.stdout


@pytest.mark.slow
def test_clearing_asks_first_and_may_be_told_the_destination(tmp_path: Path) -> None:
    with LoopbackReceiver() as receiver:
        fill(tmp_path, receiver)
        name = f"http_127.0.0.1_{receiver.port}"
    assert run("clear", "--dir", str(tmp_path)).returncode == 130  # no answer is no
    assert len(list(tmp_path.glob("*/*/*.batch"))) == 2
    wrong = run("clear", "--dir", str(tmp_path), "elsewhere", "--yes")
    assert (wrong.returncode, "no destination 'elsewhere'" in wrong.stderr) == (2, True)
    done = run("clear", "--dir", str(tmp_path), name, "--yes")
    assert (done.returncode, done.stdout) == (0, "2 files deleted\n")
    assert list(tmp_path.glob("*/*/*")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("status",), "WF_SPOOL_DIR"),
        (("status", "--dir", "/nowhere/at/all"), "does not exist"),
        (("drain", "--dir", "."), "no reporter to drain to"),
    ],
)
def test_what_is_missing_is_told_in_one_sentence(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
