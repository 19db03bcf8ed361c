"""Instructions of a request in a whole server: uvicorn under callgrind, asked by one client.

What a server does of its own is in all variants; what is left of the difference to the bare one is
held against the same figure of a loop, which no machine's caches blur.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from overhead_apps import PATH

__all__ = ["served_per_request"]

_START_S = 120


def served_per_request(framework: str, variant: str, requests: int) -> float:
    """Return the instructions of one request, all of the server's included."""
    few = _instructions(framework, variant, requests)
    return (_instructions(framework, variant, 2 * requests) - few) / requests


def _instructions(framework: str, variant: str, requests: int) -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "BENCH_VARIANT": variant,
        "BENCH_FRAMEWORK": framework,
        "PYTHONHASHSEED": "0",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind",
            sys.executable, "-m", "uvicorn", "served_app:app", "--host", "127.0.0.1",
            "--port", str(port), "--no-access-log", "--log-level", "error", "--lifespan", "off",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=Path(__file__).parent, env=environ, stderr=subprocess.PIPE, text=True
        )
        try:
            client = _connected(port)
            for _ in range(requests):
                client.request("GET", PATH)
                client.getresponse().read()
            client.close()
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
    match = re.search(r"Collected : (\d+)", said)
    if match is None:
        raise ValueError(f"valgrind tells no number:\n{said[-500:]}")
    return int(match.group(1))


def _connected(port: int) -> http.client.HTTPConnection:
    deadline = time.monotonic() + _START_S
    while True:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            client.request("GET", PATH)
            client.getresponse().read()
        except OSError:
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return client
