"""Real servers, real processes: every request of every worker is in the store afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wf_instrument.backends.local import StoreReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Outcome = Callable[[], dict[str | None, int]]

SAMPLES = Path(__file__).parents[2] / "sample_apps"


@contextmanager
def server(command: list[str], ready: str, state: Path, stop: int) -> Iterator[int]:
    """Run a server until its log tells its port; end it with the signal `stop`."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=SAMPLES,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    log = []
    try:
        for line in process.stdout:
            log.append(line)
            found = re.search(ready, line)
            if found:
                yield int(found[1])
                break
        else:
            raise AssertionError("".join(log))
    finally:
        process.send_signal(stop)
        rest, _ = process.communicate(timeout=30)
    assert "Traceback" not in rest


def visit(port: int, times: int) -> None:
    for number in range(times):
        url = f"http://127.0.0.1:{port}/style/x-{number}/make"
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    assert answer.read() == f"Shirts x-{number} made.\n".encode()
                break
            except ConnectionRefusedError:  # the log line comes before the first accept
                assert time.monotonic() < deadline


def recorded(state: Path) -> dict[str | None, int]:
    reader = StoreReader(state / "wf-instrument" / "styling.db")
    try:
        assert reader.in_flight()[0] == 0
        return {row.route: row.count for row in reader.summary()}
    finally:
        reader.close()


@pytest.mark.slow
def test_the_sample_app_under_the_development_server_loses_nothing(tmp_path: Path) -> None:
    command = ["flask", "--app", "wrapped_flask", "run", "--port", "0"]
    with server(command, r"http://127\.0\.0\.1:(\d+)", tmp_path, signal.SIGINT) as port:
        visit(port, 20)
    assert recorded(tmp_path) == {"/style/<path:id>/make": 20}


def served_by_workers(folder: Path, preload: list[str]) -> dict[str | None, int]:
    command = [
        "gunicorn", "--workers", "3", "--bind", "127.0.0.1:0", *preload, "wrapped_flask:app",
    ]  # fmt: skip
    with server(command, r"http://127\.0\.0\.1:(\d+)", folder, signal.SIGTERM) as port:
        visit(port, 60)
    return recorded(folder)


@pytest.mark.slow
@pytest.mark.side_by_side(run=served_by_workers)
@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["each worker loads", "preloaded"])
def test_forked_workers_lose_nothing(preload: list[str], outcome: Outcome) -> None:
    assert outcome() == {"/style/<path:id>/make": 60}


def served_by_django(folder: Path, command: str, stop: int) -> dict[str | None, int]:
    with server(command.split(), r"http://127\.0\.0\.1:(\d+)", folder, stop) as port:
        visit(port, 30)
    return recorded(folder)


@pytest.mark.slow
@pytest.mark.side_by_side(run=served_by_django)
@pytest.mark.parametrize(
    ("command", "stop"),
    [
        pytest.param("django_site runserver --noreload 127.0.0.1:0", signal.SIGINT, id="runserver"),
        pytest.param(
            "gunicorn --workers 3 --bind 127.0.0.1:0 --preload django_site:application",
            signal.SIGTERM,
            id="preloaded-workers",
        ),
        pytest.param(
            "gunicorn --threads 4 --bind 127.0.0.1:0 django_site:application",
            signal.SIGTERM,
            id="threads",
        ),
        pytest.param("uvicorn --port 0 django_site:asgi_application", signal.SIGTERM, id="uvicorn"),
        pytest.param(
            "hypercorn --bind 127.0.0.1:0 django_site:asgi_application",
            signal.SIGTERM,
            id="hypercorn",
        ),
    ],
)
def test_the_django_sample_loses_nothing_under_any_server(
    command: str, stop: int, outcome: Outcome
) -> None:
    assert outcome() == {"/style/<path:id>/make": 30}
