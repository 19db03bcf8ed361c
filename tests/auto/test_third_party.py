"""Somebody else's integration and reporter are found, listed and used as ours are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: What pip would have installed of it.
INSTALLED = Path(__file__).parents[1] / "third_party"


def command(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wf_instrument", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(sys.executable).parent,
        env={**os.environ, "PYTHONPATH": str(INSTALLED), **variables},
    )


PROGRAM = "import parcels; print(parcels.send('Rome'))"


@pytest.mark.slow
def test_they_are_used(tmp_path: Path) -> None:
    names = tmp_path / "names"
    done = command("run", "--", sys.executable, "-c", PROGRAM, WF_REPORTER=f"parcels://{names}")
    assert (done.stdout, done.stderr) == ("sent to Rome\n", "")
    assert {"parcels.sent.count", "parcels.send"} <= set(names.read_text().split())


@pytest.mark.slow
def test_a_library_that_is_too_old_is_told_when_it_is_imported(tmp_path: Path) -> None:
    # What the integration asks for stands in its extra.
    old = tmp_path / "parcels-2.0.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: parcels\nVersion: 2.0\n")
    path = f"{INSTALLED}{os.pathsep}{tmp_path}"
    words = ("run", "--", sys.executable, "-c", PROGRAM)
    done = command(*words, WF_REPORTER="null://", PYTHONPATH=path)
    assert done.stdout == "sent to Rome\n"
    assert done.stderr == (
        "wf-instrument: parcels 2.0 is too old; 2.1 or later is needed; it is not instrumented\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def install(): raise RuntimeError('on purpose')", "RuntimeError: on purpose"),
        ("", "AttributeError"),
        ("raise SystemExit", "SystemExit"),
    ],
    ids=["cannot be imported", "raises", "has no such function", "ends the program"],
)
def test_a_broken_one_is_told_and_the_program_runs(code: str, words: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken-3.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 3\n")
    (broken / "entry_points.txt").write_text(
        "[wf_instrument.integrations]\nparcels = broken_part:install\n"
    )
    (tmp_path / "broken_part.py").write_text(code)
    shutil.copytree(INSTALLED / "parcels", tmp_path / "parcels")
    words_run = ("run", "--", sys.executable, "-c", PROGRAM)
    done = command(*words_run, WF_REPORTER="null://", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "sent to Rome\n")
    assert "integration 'parcels' of broken 3 cannot be used: " in done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
