"""What starts the servers that are measured, one worker each, and what they are told."""

from __future__ import annotations

import os
import socket
import sys

__all__ = ["BARE", "BOTH", "FIGURES", "OWN", "SERVERS", "command", "environment", "free_port"]

#: Queries: the bare application, the other one, both in turns, and what that took.
BARE, OWN, BOTH, FIGURES = "?any", "?own", "", "?figures"

#: The framework whose application each of them serves.
SERVERS = {"gunicorn": "flask", "uvicorn": "starlette"}


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def command(server: str, port: int) -> list[str]:
    """Return what starts a server of one worker: gunicorn's is the one it has by default."""
    if server == "gunicorn":
        return [
            sys.executable, "-m", "gunicorn", "served_app:app", "--bind", f"127.0.0.1:{port}",
            "--workers", "1", "--log-level", "error",
        ]  # fmt: skip
    return [
        sys.executable, "-m", "uvicorn", "served_app:app", "--host", "127.0.0.1",
        "--port", str(port), "--interface", "asgi3", "--no-access-log",
        "--log-level", "error", "--lifespan", "off",
    ]  # fmt: skip


def environment(server: str, variant: str, tick_s: float) -> dict[str, str]:
    """Return the variables that tell `served_app.py` what to serve."""
    return {
        **os.environ,
        "BENCH_VARIANT": variant,
        "BENCH_FRAMEWORK": SERVERS[server],
        "BENCH_TICK_S": f"{tick_s:g}",
    }
