"""Instructions of a request in a whole server under callgrind, asked by one client.

What a server does of its own is in all variants; what is left of the difference to the bare one is
held against the same figure of a loop, which no machine's caches blur.
"""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from overhead_apps import PATH
from served_command import OWN, command, environment, free_port

__all__ = ["served_per_request"]

_START_S = 120


def served_per_request(server: str, variant: str, requests: int) -> tuple[float, float]:
    """Return the instructions of one request: of the thread that serves, and of all others."""
    few = _instructions(server, variant, requests)
    many = _instructions(server, variant, 2 * requests)
    return (many[0] - few[0]) / requests, (many[1] - few[1]) / requests


def _instructions(server: str, variant: str, requests: int) -> tuple[int, int]:
    port = free_port()
    # As few drains as can be: a second under callgrind has few requests.
    environ = {**environment(server, variant, tick_s=60), "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [
                "valgrind", "--tool=callgrind", "--separate-threads=yes",
                f"--callgrind-out-file={folder}/callgrind.%p", *command(server, port),
            ],
            cwd=Path(__file__).parent, env=environ, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            client = _connected(process, port)
            for _ in range(requests):
                # Connects anew where the server ends connections, as gunicorn does by default.
                client.request("GET", PATH + OWN)
                client.getresponse().read()
            client.close()
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
        counted = _by_process(Path(folder))
    if not counted:
        raise ValueError(f"valgrind tells no number:\n{said[-500:]}")
    # Of the worker, that is, where a process that only watches it tells its own, too.
    return max(counted, key=sum)


def _by_process(folder: Path) -> list[tuple[int, int]]:
    """Return the instructions of each process: of its first thread, and of all others."""
    found: dict[str, list[int]] = {}
    for path in sorted(folder.glob("callgrind.*-*")):
        match = re.search(r"^totals: (\d+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if match is not None:
            process = path.name.rpartition("-")[0]
            found.setdefault(process, []).append(int(match.group(1)))
    return [(first, sum(others)) for first, *others in found.values()]


def _connected(process: subprocess.Popen[str], port: int) -> http.client.HTTPConnection:
    deadline = time.monotonic() + _START_S
    while True:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            client.request("GET", PATH + OWN)
            client.getresponse().read()
        except OSError:
            client.close()
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.2)
        else:
            return client
