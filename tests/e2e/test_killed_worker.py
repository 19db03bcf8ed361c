"""A worker that is killed at once: what it takes along, and that its slot is taken again."""

from __future__ import annotations

import http.client
import os
import re
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from loopback import LoopbackReceiver
from run_server import RunServer, rows, wait_until

if TYPE_CHECKING:
    from pathlib import Path

_GUNICORN: Final = "gunicorn --bind 127.0.0.1:PORT --workers 4 --graceful-timeout 10"
_APP: Final = """
import os
import flask

app = flask.Flask(__name__)

@app.get("/items/<int:number>")
def item(number):
    return str(os.getpid())
"""
_TICK_S: Final = 0.5
#: For a machine with other things to do: how late a tick may be.
_LATE_S: Final = 1.0
_WORKERS: Final = 4


class Load:
    """Clients that ask until told to stop; they keep who answered, and when.

    Attributes:
        answers: Process and time of each answer.
        broken: How many requests ended without one.
    """

    def __init__(self, port: int, clients: int = 4) -> None:
        self.answers: list[tuple[int, float]] = []
        self.broken = 0
        self._port = port
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Load:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join()

    def by_worker(self, until_s: float = float("inf")) -> Counter[int]:
        """Return how many requests each process answered up to then."""
        return Counter(pid for pid, when_s in list(self.answers) if when_s <= until_s)

    def _ask(self) -> None:
        while not self._stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                connection.request("GET", "/items/7", headers={"Connection": "close"})
                self.answers.append((int(connection.getresponse().read()), time.monotonic()))
            except (OSError, http.client.HTTPException, ValueError):
                with self._lock:
                    self.broken += 1
            finally:
                connection.close()
            # Leaves the workers time of their own on a machine with few cores.
            self._stop.wait(0.005)


def served_app(folder: Path) -> Path:
    apps = folder / "apps"
    apps.mkdir()
    (apps / "telling.py").write_text(_APP)
    return apps


def due_s() -> float:
    """Return until when what was answered must be recorded by now."""
    # A reporter whose interval ends just after a tick waits for the next one.
    return time.monotonic() - 2 * _TICK_S - _LATE_S


def recorded_by_worker(file: Path) -> Counter[int]:
    counts: Counter[int] = Counter()
    for row in rows(file):
        counts[int(str(row["pid"]))] += int(str(row["count"]))
    return counts


@pytest.mark.slow
def test_a_worker_killed_under_load_loses_what_its_last_interval_had_at_most(
    tmp_path: Path,
) -> None:
    env = {
        "WF_TICK": str(_TICK_S),
        "WF_REPORTER": f"file://{tmp_path}/recorded.jsonl?interval={_TICK_S}",
    }
    command = f"{_GUNICORN} telling:app"
    with RunServer(command, tmp_path, apps=served_app(tmp_path), env=env) as server:
        with Load(server.port) as load:
            # Some of its intervals are over, and it is in the midst of another.
            assert wait_until(lambda: max(load.by_worker(due_s()).values(), default=0) > 20)
            victim = load.by_worker(due_s()).most_common(1)[0][0]
            due = load.by_worker(due_s())[victim]
            os.kill(victim, signal.SIGKILL)
            at_kill = len(load.answers)
            # The others, and the one in its place, go on.
            assert wait_until(lambda: len(load.answers) > at_kill + 200)
            assert wait_until(lambda: len(load.by_worker()) > _WORKERS)
        server.end()
        answered, recorded = load.by_worker(), recorded_by_worker(server.file)
        assert load.broken <= 1, server.log()  # a worker of this kind has one request at a time
    assert due <= recorded.pop(victim) <= answered.pop(victim) + load.broken
    assert recorded == answered


def slots(lines: list[str]) -> set[int]:
    """Return the slots that series of in-flight requests were sent for; the first has no tag."""
    found = [re.search(r'"worker"="(\d+)"', line) for line in lines if "inflight" in line]
    return {int(one[1]) if one else 0 for one in found}


@pytest.mark.slow
def test_a_new_worker_goes_on_with_the_series_of_the_one_whose_slot_it_takes(
    tmp_path: Path,
) -> None:
    everyone = set(range(_WORKERS))
    with LoopbackReceiver() as proxy:
        reporters = (
            f"file://{tmp_path}/recorded.jsonl?interval=0.2",
            f"wavefront://127.0.0.1:{proxy.port}?interval=0.2&flush_interval=0.2",
        )
        env = {"WF_REPORTER": " ".join(reporters), "XDG_RUNTIME_DIR": str(tmp_path)}
        command = f"{_GUNICORN} telling:app"
        with RunServer(command, tmp_path, apps=served_app(tmp_path), env=env) as server:
            with Load(server.port) as load:
                assert wait_until(lambda: slots(proxy.lines()) == everyone), server.log()
                before = len(proxy.lines())
                for victim in sorted(server.workers())[:2]:
                    os.kill(victim, signal.SIGKILL)
                assert wait_until(lambda: len(load.by_worker()) >= _WORKERS + 2), server.log()
                assert wait_until(lambda: slots(proxy.lines()[before:]) == everyone), server.log()
            server.end()
        assert slots(proxy.lines()) == everyone
