"""The program of the Wavefront Flask SDK's README runs on the installed Flask, and reports."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compat.forced_edits import edited
from compat.legacy_program import ELSEWHERE
from compat.readme_blocks import read_blocks
from loopback import LoopbackReceiver
from wf_instrument import compat
from wf_instrument.identity import ApplicationTags
from wf_instrument.tracing import InMemoryReporter, WavefrontTracer

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = read_blocks(Path(__file__).parent / "data" / "wavefront_flask_sdk_readme_blocks.md")
USAGE = "Usage"
VIEW = next(heading for heading in BLOCKS if heading.startswith("Out of the box"))
START = """
import runpy, sys
from wf_instrument import compat
compat.install()
runpy.run_path(sys.argv[1], run_name="__main__")
"""
R = "flask.response.style.path-id.make"


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def program(receiver: LoopbackReceiver, port: int) -> str:
    """Return the README's program, with the API that it goes on to assume."""
    blocks = edited("wavefront_flask_sdk", BLOCKS, receiver.url, port)
    view = "".join(f"    {line}\n" for line in blocks[VIEW].splitlines())
    before, run, after = blocks[USAGE].partition("    app.run(")
    return before + view + run + after


def get(url: str, process: subprocess.Popen[str]) -> tuple[int, str]:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            threading_pause()


def threading_pause() -> None:
    """Let the server begin to listen."""
    os.sched_yield()


@pytest.mark.slow
def test_the_program_of_the_readme_serves_and_reports(
    receiver: LoopbackReceiver, tmp_path: Path
) -> None:
    port = free_port()
    path = tmp_path / "program.py"
    path.write_text(program(receiver, port), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(path)],
        cwd=ELSEWHERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        assert get(f"{url}/style/x/make", process) == (200, "Shirts x made.")
        assert get(f"{url}/nowhere", process)[0] == 404
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in errors, errors
    lines = receiver.lines()
    names = {match[1] for match in (re.search(r'"([^"]+)"', line) for line in lines) if match}
    assert {
        f"{R}.GET.200.cumulative.count",
        f"{R}.summary.GET.200.latency",
        "flask.response.completed.aggregated_per_source.count",
        "flask.request.style.path-id.make.GET.inflight.value",
    } <= names
    (span,) = [line for line in receiver.lines("f=trace") if line.startswith('"make_shirts"')]
    assert '"application"="{APP_NAME}"' in span
    assert {one.headers["authorization"] for one in receiver.received} == {"Bearer {TOKEN}"}


def test_the_context_of_a_span_goes_into_a_requests_headers() -> None:
    compat.install()
    try:
        space: dict[str, object] = {}
        exec("from wavefront_flask_sdk.inject import inject_as_headers", space)
    finally:
        compat.uninstall()
    tracer = WavefrontTracer(InMemoryReporter(), ApplicationTags("a", "b"))
    request = urllib.request.Request("http://127.0.0.1/")
    span = tracer.start_span("out")
    space["inject_as_headers"](tracer, span, request)  # type: ignore[operator]
    headers = {name.lower(): value for name, value in request.header_items()}
    assert headers["wf-ot-traceid"] == str(span.trace_id)
    assert headers["traceparent"].startswith(f"00-{span.trace_id.hex}-")
