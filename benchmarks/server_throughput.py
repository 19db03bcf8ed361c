"""Whole servers under load: throughput, CPU a request and latency, bare and instrumented.

Usage: python benchmarks/server_throughput.py [--rounds N] [--seconds N] [--write]

gunicorn serves Flask and uvicorn serves Starlette, one worker each, under wrk on the same machine.
Each server has the bare application and a variant of it, which serve a block of requests each in
turns and read the CPU of the process in between: two processes that run the same code differ by
more, for the layout of their memory, than what is measured, and so does one process from second to
second. The servers take turns, too, and are started anew a few times. gunicorn has the worker it
has by default: with threads, how they hand the interpreter over to one another moves the CPU of a
bare request by a fifth. CPU is that of the serving process, background threads included. Needs:
pip install -e '.[bench]', wrk (`apt-get install wrk`), Linux.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import results_page
from alternating import BLOCK
from overhead_apps import PATH
from overhead_variants import OTHER, SPAN
from request_overhead import added
from request_overhead import measure as measure_in_process
from served_command import BARE, BOTH, FIGURES, OWN, SERVERS, command, environment, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alternating import Pair
    from request_overhead import Rounds

#: By variant, what wrk said: of the bare application, and of the other one in the same process.
Loads: TypeAlias = "dict[str, list[tuple[dict[str, float], dict[str, float]]]]"

HERE = Path(__file__).parent
VARIANTS = ["floor", "ours, metrics", SPAN, OTHER]
UNIT_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
CONNECTIONS = 16
#: Of the processes: one start is one layout of memory, and layouts differ.
STARTS = 6
#: In a loop, where a round is shorter and quieter.
LOOP_ROUNDS = 12
WARM_UP_S = 1
#: What was recorded in a turn is drained in it: an instrumented server drains every second.
SETTLE_S = 1.1


@contextmanager
def served(server: str, variant: str) -> Iterator[int]:
    """Run a server; give its port once it answers."""
    port = free_port()
    process = subprocess.Popen(
        command(server, port), cwd=HERE, env=environment(server, variant, tick_s=1)
    )
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
        yield port
    finally:
        process.terminate()
        process.wait(30)


def load(port: int, query: str, seconds: float) -> dict[str, float]:
    """Return what wrk says: requests, requests a second, and the latency's percentiles in ms."""
    done = subprocess.run(
        [
            "wrk", "--latency", "--threads", "1", "--connections", str(CONNECTIONS),
            "--duration", f"{math.ceil(seconds)}s", f"http://127.0.0.1:{port}{PATH}{query}",
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
        match = re.search(rf"^\s+{name}%\s+([\d.]+)(us|ms|s) *$", said, re.MULTILINE)
        if match is None:
            raise ValueError(f"wrk tells no {name}%:\n{said}")
        figures[f"p{name}"] = float(match.group(1)) * UNIT_S[match.group(2)] * 1e3
    return figures


def figures_of(port: int) -> Pair:
    """Return what a server says of the requests in turns since it was asked last."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{PATH}{FIGURES}", timeout=30) as answer:
        bare, own = json.load(answer) or (0, 0)
    return bare, own


def measure(server: str, starts: int, rounds: int, seconds: float) -> tuple[Loads, Rounds]:
    """Return what wrk says of each variant and of the bare one beside it, and the CPU of both."""
    loads: Loads = {variant: [] for variant in VARIANTS}
    times: Rounds = {variant: [] for variant in VARIANTS}
    for start in range(1, starts + 1):
        with ExitStack() as stack:
            results_page.progress(f"{server}: start {start}/{starts}")
            running = {one: stack.enter_context(served(server, one)) for one in VARIANTS}
            for port in running.values():
                load(port, BOTH, WARM_UP_S)
            for variant, port in running.items():
                loads[variant].append((load(port, BARE, seconds), load(port, OWN, seconds)))
            for done in range(1, rounds // starts + 1):
                results_page.progress(f"{server}: start {start}/{starts}, round {done}")
                for variant, port in running.items():
                    figures_of(port)
                    load(port, BOTH, seconds)
                    time.sleep(SETTLE_S)
                    times[variant].append(figures_of(port))
    return loads, times


def compared(times: Rounds, variant: str) -> str:
    """Return what a variant adds to a bare request of the same round, and OpenTelemetry's share."""
    bare = results_page.spread([pair[0] for rounds in times.values() for pair in rounds])[0]
    median, _, first, third = results_page.spread(added(times[variant]))
    share = median / results_page.spread(added(times[OTHER]))[0]
    return f"{median * bare:.0f} ({first * bare:.0f} – {third * bare:.0f}; {share:.1%})"


def in_loop(server: str, requests: int, *what: str) -> Rounds:
    """Return what each variant takes where no server is."""
    times, _ = measure_in_process(SERVERS[server], VARIANTS, STARTS, LOOP_ROUNDS, requests, *what)
    return times


def table(server: str, loads: Loads, times: Rounds, alone: Rounds, cold: Rounds) -> str:
    def median(turns: Iterable[dict[str, float]], key: str) -> float:
        return results_page.spread([one[key] for one in turns])[0]

    bare = [one for turns in loads.values() for one, _ in turns]
    bare_cpu = [one for rounds in times.values() for one, _ in rounds]
    rows = [
        [
            "bare", f"{median(bare, 'rate'):,.0f}", "-",
            f"{results_page.spread(bare_cpu)[0]:.0f}", f"{min(bare_cpu):.0f}", "-", "-", "-", "-",
            f"{median(bare, 'p50'):.2f}", "-", f"{median(bare, 'p99'):.2f}", "-",
        ]
    ]  # fmt: skip
    for variant, turns in loads.items():
        own = [one for _, one in turns]
        cpu = [one for _, one in times[variant]]
        beside = {
            key: results_page.spread([own[key] - bare[key] for bare, own in turns])[0]
            for key in ("p50", "p99")
        }
        share = results_page.spread([own["rate"] / bare["rate"] for bare, own in turns])[0]
        least = min(cpu) - min(bare for bare, _ in times[variant])
        rows.append(
            [
                variant, f"{median(own, 'rate'):,.0f}", f"{share:.1%}",
                f"{results_page.spread(cpu)[0]:.0f}", f"{min(cpu):.0f}",
                compared(times, variant), f"{least:.0f}",
                compared(cold, variant), compared(alone, variant),
                f"{median(own, 'p50'):.2f}", f"{beside['p50']:+.2f}",
                f"{median(own, 'p99'):.2f}", f"{beside['p99']:+.2f}",
            ]
        )  # fmt: skip
    columns = [
        "variant", "requests/s", "of bare", "CPU µs/request (median)", "min",
        "added µs (quartiles; share of OpenTelemetry's)", "by minima",
        "in a loop, caches emptied", "in a loop", "p50 ms", "added", "p99 ms", "added",
    ]  # fmt: skip
    return f"### {server}, {SERVERS[server]}\n\n{results_page.table(columns, rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--server", action="append", choices=list(SERVERS))
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not here; apt-get install wrk")
    head = (
        f"## Whole servers\n\n{results_page.machine()}; our request path: "
        f"{results_page.which_path()}; {args.rounds} interleaved rounds of {args.seconds:g} s in "
        f"{STARTS} starts of every server, {CONNECTIONS} connections of wrk on the same machine, "
        "one worker. CPU of the serving process, background threads included; the bare application "
        f"is served by the same process in turns with the other one, a block of {BLOCK} requests "
        "each, and what is added is the median of each round's share of a bare request. In a loop: "
        "what is added when the applications are called without a "
        "server; caches emptied: by a walk through 16 MiB, and by what a server does between two "
        "requests. Connections never pause: latency is the inverse of throughput, what users of a "
        "server at its limit see."
    )
    parts = [head]
    for server in args.server or SERVERS:
        loads, times = measure(server, STARTS, args.rounds, args.seconds)
        alone = in_loop(server, 1000)
        cold = in_loop(server, 100, "cold")
        results_page.progress(f"{server}: done", is_last=True)
        parts.append(table(server, loads, times, alone, cold))
        print(parts[-1], end="\n\n", flush=True)
    if args.write:
        text = "\n\n".join(parts)
        results_page.keep("servers", text, "python benchmarks/server_throughput.py --write")


if __name__ == "__main__":
    main()
