"""A server command under `wf-instrument run`, and a client that counts what it sent."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PORT", "RunServer", "Served", "recorded", "rows", "send", "wait_until"]

UNAWARE: Final = Path(__file__).parent / "unaware"
BIN: Final = Path(sys.executable).parent
#: Stands in a command for a port that is free.
PORT: Final = "PORT"

#: Method, path, and what is recorded of it: the route's last literal part tells routes apart.
REQUESTS: Final = [
    ("GET", "/items/7", ("items", "GET", 200)),
    ("GET", "/items/8", ("items", "GET", 200)),
    ("POST", "/items", ("items", "POST", 201)),
    ("GET", "/boom", ("boom", "GET", 500)),
    ("GET", "/nowhere", ("UNKNOWN", "GET", 404)),
]

_given: set[int] = set()


def wait_until(claim: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    """Return whether the claim became true in time."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not claim():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.02)
    return True


class Served(NamedTuple):
    """What became of one server.

    Attributes:
        sent: What clients got answers to.
        recorded: What was recorded in the end.
        log: What the server wrote.
    """

    sent: Counter[tuple[str, str, int]]
    recorded: Counter[tuple[str, str, int]]
    log: str


class RunServer:
    """A server started by `wf-instrument run -- COMMAND`, in a process group of its own.

    Attributes:
        port: Where it listens.
        file: Where its file reporter writes.
    """

    def __init__(
        self,
        command: str,
        folder: Path,
        *,
        apps: Path = UNAWARE,
        options: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.file = folder / "recorded.jsonl"
        self._log_path = folder / "server.log"
        words = shlex.split(command.replace(PORT, str(self.port)))
        # A server's console script, whose first line names this interpreter.
        words[0] = str(BIN / words[0])
        run = [sys.executable, "-m", "wf_instrument", "run", *options.split(), "--", *words]
        with self._log_path.open("w") as log:
            self.process = subprocess.Popen(
                run,
                cwd=apps,
                env={
                    **os.environ,
                    "WF_REPORTER": f"file://{self.file}?interval=0.2",
                    "WF_TICK": "0.2",
                    "PYTHONUNBUFFERED": "1",
                    **(env or {}),
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def apps() -> list[Path]:
        """Return the applications that do not know the library."""
        return sorted(UNAWARE.glob("*.py"))

    def __enter__(self) -> RunServer:
        try:
            assert wait_until(self.is_up, 40), self.log()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def served(self, sent: Counter[tuple[str, str, int]]) -> Served:
        """Return what became of it, now that it ended."""
        return Served(sent, recorded(self.file), self.log())

    def is_up(self) -> bool:
        """Return whether something listens."""
        assert self.process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def log(self) -> str:
        """Return what it wrote so far."""
        return self._log_path.read_text()

    def end(self, number: int = signal.SIGTERM, *, group: bool = False) -> None:
        """Tell it to end, and wait until the last of its processes has."""
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(30)
        assert wait_until(self._is_gone), self.log()

    def _is_gone(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def workers(self) -> set[int]:
        """Return the processes that recorded something."""
        return {int(row["pid"]) for row in rows(self.file)}

    def total(self) -> int:
        """Return how many requests were recorded so far."""
        return sum(recorded(self.file).values())


def free_port() -> int:
    """Return a port that this process was not given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        # The server that got it may not listen yet.
        if port not in _given:
            _given.add(port)
            return port


def send(port: int, count: int, threads: int = 4) -> Counter[tuple[str, str, int]]:
    """Send `count` rounds of requests, each on a connection of its own; return the answers."""
    answered: Counter[tuple[str, str, int]] = Counter()
    lock = threading.Lock()
    failures: list[Exception] = []

    def visit(rounds: int) -> None:
        try:
            for _ in range(rounds):
                for method, path, key in REQUESTS:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                    connection.request(method, path, headers={"Connection": "close"})
                    answer = connection.getresponse()
                    answer.read()
                    connection.close()
                    with lock:
                        answered[(key[0], key[1], answer.status)] += 1
                    assert answer.status == key[2], (key, answer.status)
        except Exception as error:  # noqa: BLE001 - raised in the caller's thread
            failures.append(error)

    clients = [threading.Thread(target=visit, args=(count // threads,)) for _ in range(threads)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    if failures:
        raise failures[0]
    return answered


def rows(file: Path) -> list[dict[str, object]]:
    """Return what a file reporter wrote of requests so far."""
    text = file.read_text() if file.exists() else ""
    # The last line may be under way.
    lines = [line for line in text.split("\n")[:-1] if line.startswith("{")]
    return [row for row in map(json.loads, lines) if row["kind"] == "request"]


def recorded(file: Path) -> Counter[tuple[str, str, int]]:
    """Return what was recorded, by part of the route, method and status."""
    counts: Counter[tuple[str, str, int]] = Counter()
    for row in rows(file):
        found = re.search(r"items|boom", str(row["route"] or ""))
        route = found[0] if found else "UNKNOWN"
        counts[(route, str(row["method"]), int(str(row["status"])))] += int(str(row["count"]))
    return counts
