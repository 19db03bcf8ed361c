"""What instrumenting a request costs: bare, floor, ours in steps and the others, in one run.

Usage: python benchmarks/request_overhead.py [--framework NAME ...] [--rounds N] [--requests N]
       [--starts N] [--pure] [--write]

Every variant is an application in a process of its own, since some of the others patch a framework
for the whole process; it is called as a server would call it, without one, in turns with the bare
application, a block of requests each: a slow phase of the machine meets both alike. Rounds are
interleaved, and the processes are started anew a few times, so that no luck of one memory layout
stays. The table gives the median of the CPU time per request over the rounds; what is added to the
bare application, as the median of each round's share of it; its quartiles; and what is added in
function calls (cProfile, in the thread that serves). Row `bare`: what is found where both are bare.
Where our request path is compiled, the rows marked `pure` show its twin in Python
(`WF_PURE_PYTHON=1`). Needs: pip install -e '.[bench]'.
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
from typing import TYPE_CHECKING, Any, TypeAlias

import results_page
from alternating import BLOCK, Alternating
from bar_chart import write_bars
from cold_calls import cold_serve
from function_calls import calls_per_request
from overhead_apps import MAKERS, WSGI, call_asgi, call_wsgi
from overhead_variants import EVERYTHING, EXPORTER, OTHER, OURS, VARIANTS, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from alternating import Pair

PURE = " (pure)"
#: They patch the framework for the whole process, and no application stays bare beside them.
PATCHING = {"Sentry, errors + traces"}
#: By variant, what each round took: a bare request, and one of its own.
Rounds: TypeAlias = "dict[str, list[Pair]]"
PLOT = results_page.RESULTS.with_name("request_overhead.svg")
COLUMNS = [
    "variant", "µs/request (median)", "min", "added µs", "quartiles", "added µs by minima",
    "added calls", "share of OpenTelemetry's µs", "of the exporter's",
]  # fmt: skip


def serve(bare: Any, variant: Variant, framework: str, requests: int) -> Pair:
    """Return microseconds of CPU per request, bare and not, all threads of the process included."""
    gc.collect()
    both = Alternating(bare, variant.app)
    # One more ends the last block.
    if framework in WSGI:
        call_wsgi(both.wsgi, 2 * requests + 1)()
    else:
        call_asgi(both.asgi, 2 * requests + 1)()
    begun = time.thread_time_ns()
    # What a variant does in the background belongs to the round that caused it.
    variant.drain()
    return both.figures(time.thread_time_ns() - begun)


def be(framework: str, name: str) -> None:
    """Be one variant: serve a round for each line on stdin, and answer what it cost."""
    call = call_wsgi if framework in WSGI else call_asgi
    answers, sys.stdout = sys.stdout, sys.stderr
    bare = VARIANTS["bare"](framework).app
    variant = VARIANTS[name](framework)

    def work_of(requests: int) -> Callable[[], None]:
        return call(variant.app, requests)

    serve(bare, variant, framework, 500)
    print(json.dumps(results_page.which_path()), file=answers, flush=True)
    for line in sys.stdin:
        what, number = line.split()
        answer: object
        if what == "calls":
            answer = calls_per_request(work_of, int(number))
        elif what == "cold":
            answer = cold_serve(framework, bare, variant.app, variant.drain, int(number))
        else:
            answer = serve(bare, variant, framework, int(number))
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

    def ask(self, what: str, requests: int) -> Pair:
        """Have it serve; return what it tells."""
        bare, own = self._ask(what, requests)
        return bare, own

    def calls(self, requests: int) -> float:
        """Have it count calls; return how many a request makes."""
        return float(self._ask("calls", requests))

    def _ask(self, what: str, requests: int) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what} {requests}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Let it end."""
        self._process.communicate(timeout=30)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.communicate()[1].strip().splitlines()
            raise ImportError(said[-1] if said else "no answer")
        return json.loads(line)


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
) -> tuple[Rounds, dict[str, float]]:
    """Return what each variant took in each round, and its function calls a request.

    `how` is "serve" for one request after the other, "cold" with caches emptied in between.
    """
    times: Rounds = {}
    calls: dict[str, float] = {}
    for number in range(starts):
        workers = start(framework, names)
        for done in range(max(1, rounds // starts)):
            for name, worker in workers.items():
                pair = worker.ask(how, requests)
                if name in PATCHING:
                    pair = times["bare"][-1][0], pair[1]
                times.setdefault(name, []).append(pair)
            results_page.progress(f"{framework}: start {number + 1}/{starts}, round {done + 1}")
        for name, worker in workers.items():
            if name not in calls:
                calls[name] = worker.calls(100)
            worker.close()
        names = list(workers)
    return times, calls


def added(rounds: list[Pair]) -> list[float]:
    """Return what a variant adds in each round, as a share of what a bare request takes."""
    return [own / bare - 1 for bare, own in rounds]


def table(framework: str, times: Rounds, calls: dict[str, float]) -> str:
    package = f" {version(framework)}" if framework not in {"asgi", "wsgi"} else ""
    bare = results_page.spread([pair[0] for rounds in times.values() for pair in rounds])[0]
    least = min(own for _, own in times["bare"])
    shares = {name: results_page.spread(added(rounds))[0] for name, rounds in times.items()}
    rows = []
    for name, rounds in times.items():
        median, low, _, _ = results_page.spread([own for _, own in rounds])
        _, _, first, third = results_page.spread(added(rounds))
        of_others = [
            f"{shares[name] / shares[whole]:.1%}" if whole in shares and name != "bare" else "-"
            for whole in (OTHER, EXPORTER)
        ]
        rows.append(
            [
                name,
                f"{median:.1f}",
                f"{low:.1f}",
                f"{shares[name] * bare:.1f}",
                f"{first * bare:.1f} – {third * bare:.1f}",
                f"{low - least:.1f}",
                f"{calls[name] - calls['bare']:,.0f}",
                *of_others,
            ]
        )
    return f"### {framework}{package}\n\n{results_page.table(COLUMNS, rows)}"


def draw(figures: dict[str, Rounds]) -> None:
    """Draw what each variant adds."""
    groups = {}
    for framework, times in figures.items():
        bare = results_page.spread([pair[0] for rounds in times.values() for pair in rounds])[0]
        groups[framework] = {
            name: results_page.spread(added(rounds))[0] * bare
            for name, rounds in times.items()
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
        "every process; CPU time of the whole process, background threads included. The same "
        f"process serves the bare application in turns, a block of {BLOCK} requests each; what is "
        "added is the median of each round's share of a bare request, and the row of the bare one "
        "shows what is found where nothing is. Everything: also RED metrics, an access line, and "
        "headers to the caller."
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
