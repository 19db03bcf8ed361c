"""What instrumenting a request costs: bare, floor, ours in steps and the others, in one run.

Usage: python benchmarks/request_overhead.py [--framework NAME ...] [--rounds N] [--requests N]
       [--starts N] [--pure] [--write]

Every variant is an application in a process of its own, since some of the others patch a framework
for the whole process; it is called as a server would call it, without one. Rounds are interleaved,
so that a slow phase of the machine meets all variants alike, and the processes are started anew a
few times, so that no luck of one memory layout stays. The table gives the median of the CPU time
per request over the rounds, its spread, and what is added to the bare application, in time and in
function calls (cProfile, in the thread that serves). Where our request path is compiled, the rows
marked `pure` show its twin in Python (`WF_PURE_PYTHON=1`). Needs: pip install -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import results_page
from bar_chart import write_bars
from cold_calls import cold_serve
from function_calls import calls_per_request
from overhead_apps import MAKERS, WSGI, call_asgi, call_wsgi
from overhead_variants import EVERYTHING, EXPORTER, OTHER, OURS, VARIANTS, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

PURE = " (pure)"
PLOT = results_page.RESULTS.with_name("request_overhead.svg")
COLUMNS = [
    "variant", "µs/request (median)", "min", "quartiles", "added µs", "added µs by minima",
    "added calls", "share of OpenTelemetry's µs", "of the exporter's",
]  # fmt: skip


def serve(variant: Variant, work: Callable[[], None], requests: int) -> float:
    """Return microseconds of CPU per request, all threads of the process included."""
    gc.collect()
    begun = time.process_time_ns()
    work()
    # What a variant does in the background belongs to the round that caused it.
    variant.drain()
    return (time.process_time_ns() - begun) / requests / 1000


def be(framework: str, name: str) -> None:
    """Be one variant: serve a round for each line on stdin, and answer what it cost."""
    call = call_wsgi if framework in WSGI else call_asgi
    answers, sys.stdout = sys.stdout, sys.stderr
    variant = VARIANTS[name](framework)

    def work_of(requests: int) -> Callable[[], None]:
        return call(variant.app, requests)

    serve(variant, work_of(500), 500)
    print(json.dumps(results_page.which_path()), file=answers, flush=True)
    for line in sys.stdin:
        what, number = line.split()
        if what == "calls":
            answer = calls_per_request(work_of, int(number))
        elif what == "cold":
            answer = cold_serve(framework, variant.app, variant.drain, int(number))
        else:
            answer = serve(variant, work_of(int(number)), int(number))
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)  # whatever threads the others have


class Worker:
    """A process that is one variant."""

    def __init__(self, framework: str, name: str) -> None:
        environ = {**os.environ}
        if name.endswith(PURE):
            environ["WF_PURE_PYTHON"] = "1"
        command = [sys.executable, __file__, "--be", name.removesuffix(PURE)]
        self._process = subprocess.Popen(
            [*command, "--framework", framework],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
        self.path = self._answer()

    def ask(self, what: str, requests: int) -> float:
        """Have it serve, or count calls; return what it tells."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what} {requests}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """Let it end."""
        self._process.communicate(timeout=30)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.communicate()[1].strip().splitlines()
            raise ImportError(said[-1] if said else "no answer")
        return str(json.loads(line))


def start(framework: str, names: list[str]) -> dict[str, Worker]:
    """Start the variants that can be had."""
    workers = {}
    for name in names:
        try:
            workers[name] = Worker(framework, name)
        except ImportError as exc:
            results_page.progress(f"{framework}: left out: {name} ({exc})", is_last=True)
    return workers


def measure(
    framework: str, names: list[str], starts: int, rounds: int, requests: int, how: str = "serve"
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the times of each variant, and its function calls a request.

    `how` is "serve" for one request after the other, "cold" with caches emptied in between.
    """
    times: dict[str, list[float]] = {}
    calls: dict[str, float] = {}
    for number in range(starts):
        workers = start(framework, names)
        for done in range(max(1, rounds // starts)):
            for name, worker in workers.items():
                times.setdefault(name, []).append(worker.ask(how, requests))
            results_page.progress(f"{framework}: start {number + 1}/{starts}, round {done + 1}")
        for name, worker in workers.items():
            if name not in calls:
                calls[name] = worker.ask("calls", 100)
            worker.close()
        names = list(workers)
    return times, calls


def table(framework: str, times: dict[str, list[float]], calls: dict[str, float]) -> str:
    package = f" {version(framework)}" if framework not in {"asgi", "wsgi"} else ""
    bare, least, _, _ = results_page.spread(times["bare"])
    other = results_page.spread(times[OTHER])[0] - bare if OTHER in times else None
    exporter = results_page.spread(times[EXPORTER])[0] - bare if EXPORTER in times else None
    rows = []
    for name, values in times.items():
        median, low, first, third = results_page.spread(values)
        shares = [
            f"{(median - bare) / whole:.1%}" if whole and name != "bare" else "-"
            for whole in (other, exporter)
        ]
        rows.append(
            [
                name,
                f"{median:.1f}",
                f"{low:.1f}",
                f"{first:.1f} – {third:.1f}",
                f"{median - bare:.1f}",
                f"{low - least:.1f}",
                f"{calls[name] - calls['bare']:,.0f}",
                *shares,
            ]
        )
    return f"### {framework}{package}\n\n{results_page.table(COLUMNS, rows)}"


def draw(figures: dict[str, dict[str, list[float]]]) -> None:
    """Draw what each variant adds."""
    groups = {}
    for framework, times in figures.items():
        bare = results_page.spread(times["bare"])[0]
        groups[framework] = {
            name: results_page.spread(values)[0] - bare
            for name, values in times.items()
            if name != "bare"
        }
    write_bars(PLOT, "CPU microseconds added to a request (medians)", groups)


def variant_names(*, pure: bool) -> tuple[list[str], str]:
    """Return the variants to measure, and what our request path is."""
    path = results_page.which_path()
    if path == "compiled" and not pure:
        return [*VARIANTS, *(name + PURE for name in OURS if name != EVERYTHING)], path
    return [name + PURE if pure and name in OURS else name for name in VARIANTS], "pure Python"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", action="append", choices=list(MAKERS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--starts", type=int, default=3, help="of the processes")
    parser.add_argument("--pure", action="store_true", help="ours without its compiled path only")
    parser.add_argument("--be", choices=list(VARIANTS), help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    args = parser.parse_args()
    frameworks = args.framework or list(MAKERS)
    if args.be:
        be(frameworks[0], args.be)
        return
    names, path = variant_names(pure=args.pure)
    head = (
        f"## Added per request\n\n{results_page.machine()}; our request path: {path}; "
        f"{args.rounds} interleaved rounds of {args.requests} requests in {args.starts} starts of "
        "every process; CPU time of the whole process, background threads included. Everything: "
        "also RED metrics, an access line, and headers to the caller."
    )
    parts = [head]
    figures = {}
    for framework in frameworks:
        times, calls = measure(framework, names, args.starts, args.rounds, args.requests)
        figures[framework] = times
        parts.append(table(framework, times, calls))
        results_page.progress(f"{framework}: done", is_last=True)
        print(parts[-1], end="\n\n", flush=True)
    if args.write:
        draw(figures)
        parts.insert(1, f"![Microseconds added to a request]({PLOT.name})")
        results_page.keep(
            "request_overhead", "\n\n".join(parts), "python benchmarks/request_overhead.py --write"
        )


if __name__ == "__main__":
    main()
