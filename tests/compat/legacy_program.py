"""Runs programs as their authors would: in an interpreter of their own, warnings as errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: `-c` puts the current folder first: a checkout there would hide the installed package.
ELSEWHERE = Path(sys.executable).parent

INSTALL = "from wf_instrument import compat; compat.install()\n"


def run(program: str, *, path: Path | None = None) -> str:
    """Return what a program printed; fails with its error output when it wrote any."""
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        # As in pyproject.toml: a daemon thread's socket may be collected after its end.
        [sys.executable, "-W", "error", "-W", "ignore:unclosed:ResourceWarning", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ELSEWHERE,
        env=environment,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout
