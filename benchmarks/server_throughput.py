"""Whole servers under load: throughput, CPU a request and latency, bare and instrumented.

Usage: python benchmarks/server_throughput.py [--rounds N] [--seconds N] [--write]

gunicorn serves Flask and uvicorn serves Starlette, one worker each, under wrk on the same machine;
bare, ours and OpenTelemetry in turns, a server anew for every turn. CPU is that of all processes
of the server, from /proc, for the requests that wrk counted: what load and server do to one
another is in the throughput, but not in it. Needs: pip install -e '.[bench]', wrk
(`apt-get install wrk`), Linux.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import results_page
from overhead_apps import PATH
from overhead_variants import OTHER, SPAN
from request_overhead import measure as measure_in_process

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
VARIANTS = ["bare", "ours, metrics", SPAN, OTHER]
SERVERS = {"gunicorn": "flask", "uvicorn": "starlette"}
UNIT_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
CONNECTIONS = 16
#: In a loop: of the processes, and in all. One start is one layout of memory, and layouts differ.
STARTS, ROUNDS = 5, 20


def command(server: str, port: int) -> list[str]:
    """Return what starts a server of one worker."""
    if server == "gunicorn":
        return [
            sys.executable, "-m", "gunicorn", "served_app:app", "--bind", f"127.0.0.1:{port}",
            "--workers", "1", "--threads", "4", "--log-level", "error", "--keep-alive", "60",
        ]  # fmt: skip
    return [
        sys.executable, "-m", "uvicorn", "served_app:app", "--host", "127.0.0.1",
        "--port", str(port), "--no-access-log", "--log-level", "error", "--lifespan", "off",
    ]  # fmt: skip


@contextmanager
def served(server: str, variant: str) -> Iterator[tuple[int, int]]:
    """Run a server; give its process id and its port once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "BENCH_VARIANT": variant, "BENCH_FRAMEWORK": SERVERS[server]}
    process = subprocess.Popen(command(server, port), cwd=HERE, env=environ)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{PATH}", timeout=5).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(30)


def family(pid: int) -> list[int]:
    """Return a process and those it started, and so on."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a server's processes have used."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")


def load(port: int, seconds: float) -> dict[str, float]:
    """Return what wrk says: requests, requests a second, and the latency's percentiles in ms."""
    done = subprocess.run(
        [
            "wrk", "--latency", "--threads", "1", "--connections", str(CONNECTIONS),
            "--duration", f"{math.ceil(seconds)}s", f"http://127.0.0.1:{port}{PATH}",
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return read_wrk(done.stdout)


def read_wrk(said: str) -> dict[str, float]:
    """Read the figures out of wrk's text.

    Raises:
        ValueError: A request failed, or a figure is not there.
    """
    if "Non-2xx" in said or "Socket errors" in said:
        raise ValueError(f"requests failed:\n{said}")
    found = {"requests": re.search(r"(\d+) requests in", said)}
    found["rate"] = re.search(r"Requests/sec:\s+([\d.]+)", said)
    figures = {}
    for name, match in found.items():
        if match is None:
            raise ValueError(f"wrk tells no {name}:\n{said}")
        figures[name] = float(match.group(1))
    for name in ("50", "99"):
        match = re.search(rf"^\s+{name}%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
        if match is None:
            raise ValueError(f"wrk tells no {name}%:\n{said}")
        figures[f"p{name}"] = float(match.group(1)) * UNIT_S[match.group(2)] * 1e3
    return figures


def measure(server: str, variant: str, seconds: float) -> dict[str, float]:
    with served(server, variant) as (pid, port):
        load(port, max(1, seconds / 4))
        before = cpu_s(pid)
        figures = load(port, seconds)
        figures["cpu"] = (cpu_s(pid) - before) / figures["requests"] * 1e6
    return figures


def table(
    server: str,
    got: dict[str, list[dict[str, float]]],
    alone: dict[str, list[float]],
    cold: dict[str, list[float]],
) -> str:
    def median(variant: str, key: str) -> float:
        return results_page.spread([one[key] for one in got[variant]])[0]

    rows = []
    other = median(OTHER, "cpu") - median("bare", "cpu")

    def added_in_process(variant: str, times: dict[str, list[float]]) -> str:
        added = results_page.spread(times[variant])[0] - results_page.spread(times["bare"])[0]
        whole = results_page.spread(times[OTHER])[0] - results_page.spread(times["bare"])[0]
        return f"{added:.0f} ({added / whole:.1%})"

    for variant in got:
        cpu, least, first, third = results_page.spread([one["cpu"] for one in got[variant]])
        added = {key: median(variant, key) - median("bare", key) for key in ("cpu", "p50", "p99")}
        is_bare = variant == "bare"
        rows.append(
            [
                variant,
                f"{median(variant, 'rate'):,.0f}",
                f"{median(variant, 'rate') / median('bare', 'rate'):.1%}",
                f"{cpu:.0f}",
                f"{least:.0f}",
                f"{first:.0f} – {third:.0f}",
                "-" if is_bare else f"{added['cpu']:.0f} ({added['cpu'] / other:.1%})",
                "-" if is_bare else added_in_process(variant, cold),
                "-" if is_bare else added_in_process(variant, alone),
                f"{median(variant, 'p50'):.2f}",
                "-" if is_bare else f"{added['p50']:+.2f}",
                f"{median(variant, 'p99'):.2f}",
                "-" if is_bare else f"{added['p99']:+.2f}",
            ]
        )
    columns = [
        "variant", "requests/s", "of bare", "CPU µs/request (median)", "min", "quartiles",
        "added µs (share of OpenTelemetry's)", "in a loop, caches emptied", "in a loop",
        "p50 ms", "added", "p99 ms", "added",
    ]  # fmt: skip
    return f"### {server}, {SERVERS[server]}\n\n{results_page.table(columns, rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--server", action="append", choices=list(SERVERS))
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not here; apt-get install wrk")
    head = (
        f"## Whole servers\n\n{results_page.machine()}; our request path: "
        f"{results_page.which_path()}; {args.rounds} interleaved rounds of {args.seconds:g} s, "
        f"{CONNECTIONS} connections of wrk on the same machine, one worker (gunicorn: 4 threads). "
        "CPU of all the server's processes. In a loop: what is added when the application is "
        "called without a server; caches emptied: by a walk through 16 MiB, and by what a server "
        "does between two requests. Connections never pause: "
        "latency is the inverse of throughput, what users of a server at its limit see."
    )
    parts = [head]
    for server in args.server or SERVERS:
        got: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
        for done in range(args.rounds):
            for variant, into in got.items():
                results_page.progress(f"{server}: round {done + 1}/{args.rounds}: {variant}")
                into.append(measure(server, variant, args.seconds))
        alone, _ = measure_in_process(SERVERS[server], VARIANTS, STARTS, ROUNDS, 1000)
        cold, _ = measure_in_process(SERVERS[server], VARIANTS, STARTS, ROUNDS, 500, "cold")
        results_page.progress(f"{server}: done", is_last=True)
        parts.append(table(server, got, alone, cold))
        print(parts[-1], end="\n\n", flush=True)
    if args.write:
        text = "\n\n".join(parts)
        results_page.keep("servers", text, "python benchmarks/server_throughput.py --write")


if __name__ == "__main__":
    main()
