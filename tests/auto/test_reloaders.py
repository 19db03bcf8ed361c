"""A reloader's process that does not end when it is told to is killed after all."""

from __future__ import annotations

import signal
import sys
from types import ModuleType

import pytest

from wf_instrument.auto.reloaders import let_end

STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, lambda *args: print("told", flush=True))
os.kill(os.getppid(), signal.SIGUSR1)
while True:
    signal.pause()
"""


class ToldToEnd(SystemExit):
    """What a reloader's handler of SIGTERM raises."""


def told(*args: object) -> None:
    raise ToldToEnd


@pytest.mark.slow
def test_a_process_that_does_not_end_in_time_is_killed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    reloader = ModuleType("reloader")
    let_end(reloader, lambda: 0.0)
    before = signal.signal(signal.SIGUSR1, told)
    try:
        with pytest.raises(ToldToEnd):
            reloader.subprocess.call([sys.executable, "-c", STUBBORN])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert capfd.readouterr().out == "told\n"
