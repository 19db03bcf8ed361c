"""What instrumenting a request costs: bare, floor, ours and the others, in one run.

Usage: python benchmarks/request_overhead.py [--framework NAME ...] [--rounds N] [--requests N]
       [--write]

Every variant is an application of its own, called as a server would call it, without one. Rounds
are interleaved, so that a slow phase of the machine meets all variants alike; the table gives the
median of the CPU time per request over the rounds, its spread, and what is added to the bare
application. Each framework is measured in a process of its own. Needs: pip install -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from overhead_apps import MAKERS, VARIANTS, WSGI, Variant, call_asgi, call_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).with_name("RESULTS.md")
MARK = "<!-- request_overhead -->"
OTHER = "OpenTelemetry, traces + metrics"


def serve(variant: Variant, call: Callable[..., Callable[[], None]], requests: int) -> float:
    """Return microseconds of CPU per request, all threads of the process included."""
    work = call(variant.app, requests)
    gc.collect()
    begun = time.process_time_ns()
    work()
    # What a variant does in the background belongs to the round that caused it.
    variant.drain()
    return (time.process_time_ns() - begun) / requests / 1000


def measure(framework: str, rounds: int, requests: int) -> dict[str, list[float]]:
    call = call_wsgi if framework in WSGI else call_asgi
    variants = {}
    for name, make in VARIANTS.items():
        try:
            variants[name] = make(framework)
        except ImportError as exc:
            print(f"{framework}: left out: {name} ({exc})", file=sys.stderr)
    for variant in variants.values():
        serve(variant, call, 500)
    times: dict[str, list[float]] = {name: [] for name in variants}
    for done in range(rounds):
        for name, variant in variants.items():
            times[name].append(serve(variant, call, requests))
        print(f"\r{framework}: round {done + 1}/{rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times


def measure_apart(framework: str, rounds: int, requests: int) -> dict[str, list[float]]:
    """Measure in a new process: what one framework's instrumentation patches stays there."""
    command = [sys.executable, __file__, "--framework", framework, "--json"]
    command += ["--rounds", str(rounds), "--requests", str(requests)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    times: dict[str, list[float]] = json.loads(done.stdout)
    return times


def table(framework: str, times: dict[str, list[float]]) -> str:
    base = statistics.median(times["bare"])
    added = {name: statistics.median(values) - base for name, values in times.items()}
    other = added.get(OTHER)
    package = f" {version(framework)}" if framework not in {"asgi", "wsgi"} else ""
    lines = [
        f"### {framework}{package}",
        "",
        "| variant | µs/request (median) | min | quartiles | added µs | share of OpenTelemetry's |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, values in times.items():
        low, _, high = statistics.quantiles(values, n=4)
        share = f"{added[name] / other:.1%}" if other and name != "bare" else "-"
        lines.append(
            f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} | "
            f"{low:.1f} – {high:.1f} | {added[name]:.1f} | {share} |"
        )
    return "\n".join(lines)


def write(text: str, command: str) -> None:
    section = f"{MARK}\n## Added per request\n\n{text}\n\nMade by `{command}`.\n{MARK}"
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n"
    if MARK in old:
        before, _, rest = old.partition(MARK)
        new = before + section + rest.partition(MARK)[2]
    else:
        new = f"{old}\n{section}\n"
    RESULTS.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", action="append", choices=list(MAKERS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="the times of one framework, as JSON")
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    args = parser.parse_args()
    frameworks = args.framework or list(MAKERS)
    if args.json:
        print(json.dumps(measure(frameworks[0], args.rounds, args.requests)))
        return
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    how = f"{args.rounds} interleaved rounds of {args.requests} requests"
    parts = [f"{machine}; {how}; CPU time of the whole process, background threads included."]
    for framework in frameworks:
        parts.append(table(framework, measure_apart(framework, args.rounds, args.requests)))
        print(parts[-1], end="\n\n", flush=True)
    if args.write:
        write("\n\n".join(parts), "python benchmarks/request_overhead.py --write")


if __name__ == "__main__":
    main()
