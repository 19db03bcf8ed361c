"""The end of processes: what was recorded last is delivered, in children of multiprocessing too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from loopback import LoopbackReceiver

CHILDREN = """
import multiprocessing, os, sys
from wf_instrument.backends.wavefront import WavefrontClient

client = WavefrontClient(os.environ["RECEIVER"], flush_interval_seconds=3600)

def work(name):
    own = client if name == "inherited" else WavefrontClient(
        os.environ["RECEIVER"], flush_interval_seconds=3600)
    own.send_metric(name, 1, None, "s", None)
    if name == "failing":
        sys.stderr = open(os.devnull, "w")
        raise ValueError(name)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [
        context.Process(target=work, args=(name,)) for name in ("inherited", "own", "failing")
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
"""

TELEMETRY = """
import multiprocessing, sys
import flask, wf_instrument
from wf_instrument.metrics import delta_counter

app = flask.Flask("shop")
wf_instrument.instrument(app)

@app.get("/orders")
def orders():
    return "none"

def work(serves):
    if serves:
        app.test_client().get("/orders").close()

if __name__ == "__main__":
    delta_counter(wf_instrument.get_registry(), "sold").inc(5)
    child = multiprocessing.get_context("fork").Process(target=work, args=(sys.argv[1] == "yes",))
    child.start()
    child.join()
"""

TOLD_TWICE = """
import signal, sys
from wf_instrument.process_exit import at_exit

def deliver():
    print("delivering", flush=True)
    sys.stdin.readline()
    print("delivered", flush=True)

signal.signal(signal.SIGTERM, lambda *args: sys.exit(0))
at_exit(deliver)
print("up", flush=True)
signal.pause()
"""


def run(tmp_path: object, program: str, *arguments: str, **variables: str) -> None:
    path = os.path.join(str(tmp_path), "program.py")  # noqa: PTH118 - given to a command
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(program)
    subprocess.run(
        [sys.executable, path, *arguments], env={**os.environ, **variables}, check=True, timeout=60
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_what_a_child_of_multiprocessing_queued_last_is_delivered(
    tmp_path: object, method: str
) -> None:
    with LoopbackReceiver() as receiver:
        run(tmp_path, CHILDREN, method, RECEIVER=receiver.url)
        names = sorted(line.split()[0].strip('"') for line in receiver.lines())
    assert names == ["failing", "inherited", "own"]


@pytest.mark.slow
def test_what_a_child_of_multiprocessing_served_last_is_reported(tmp_path: object) -> None:
    with LoopbackReceiver() as receiver:
        run(tmp_path, TELEMETRY, "yes", WF_REPORTER=receiver.url.replace("http", "wavefront"))
        assert any("orders" in line for line in receiver.lines("f=trace"))


@pytest.mark.slow
def test_a_child_of_multiprocessing_that_served_nothing_reports_nothing(tmp_path: object) -> None:
    with LoopbackReceiver() as receiver:
        run(tmp_path, TELEMETRY, "no", WF_REPORTER=receiver.url.replace("http", "wavefront"))
        assert sum("sold" in line for line in receiver.lines()) == 1  # its parent's


@pytest.mark.slow
def test_a_second_sigterm_does_not_stop_what_the_first_one_began() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TOLD_TWICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in ("up", "delivering"):
            assert process.stdout.readline() == f"{line}\n"
            process.terminate()
        assert process.communicate("\n", timeout=20)[0] == "delivered\n"
    assert process.returncode == 0
