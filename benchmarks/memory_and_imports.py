"""Memory of a series and of a span, the bounds of both, and the time of the import.

Usage: python benchmarks/memory_and_imports.py [--rounds N] [--write]

Memory is what Python allocated (tracemalloc) for so many more of them. Imports are timed in fresh
processes, bytecode cached, against an interpreter that imports nothing; in turns. Needs nothing
but the package; with the bench extra, others' imports stand beside ours.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import results_page

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = 2_000
#: Requests of a series in one interval: fewer are kept as they are, more are in buckets.
REQUESTS = 100
IMPORTS = {
    "nothing": "pass",
    "wf_instrument": "import wf_instrument",
    "wf_instrument, instrumenting Flask": (
        "import flask, wf_instrument; app = flask.Flask('a'); "
        "wf_instrument.instrument(app, reporter='null://')"
    ),
    "flask alone": "import flask; flask.Flask('a')",
    "opentelemetry SDK and its Flask instrumentation": (
        "import opentelemetry.sdk.trace.export, opentelemetry.sdk.metrics.export, "
        "opentelemetry.instrumentation.flask"
    ),
    "sentry_sdk": "import sentry_sdk",
    "wavefront_pyformance": "import wavefront_pyformance.wavefront_reporter",
}


def allocated(make: Callable[[int], object]) -> float:
    """Return the bytes that each of `NUMBER` keeps; what `make` returns is held."""
    held = [make(1)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    held.append(make(NUMBER))
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / NUMBER


def memory_rows() -> list[list[str]]:
    from drain import PER_ROUTE
    from receiver import receiver

    from wf_instrument.metrics import ExponentialHistogram
    from wf_instrument.settings import Settings
    from wf_instrument.tracing import SpanBuffer, WavefrontTracer

    settings = Settings()

    def spans(number: int) -> object:
        buffer = SpanBuffer(settings.max_buffered_spans)
        tracer = WavefrontTracer(buffer)
        for _ in range(number):
            tracer.start_span("op", ignore_active_span=True).finish()
        return buffer

    def histograms(values: int) -> Callable[[int], object]:
        def make(number: int) -> object:
            made = [ExponentialHistogram() for _ in range(number)]
            for one in made:
                one.add_many([1.5 + value * 0.031 for value in range(values)])
            return made

        return make

    span = allocated(spans)
    with receiver() as port:
        route = allocated(routes_reported(port))
    return [
        [f"a route and method with its {PER_ROUTE} series, reported once", f"{route:,.0f}",
         f"{settings.max_series:,} routes and methods (`max_series`)",
         f"{route * settings.max_series / 2**20:,.0f} MiB"],
        ["a finished span that waits", f"{span:,.0f}",
         f"{settings.max_buffered_spans:,} spans (`max_buffered_spans`)",
         f"{span * settings.max_buffered_spans / 2**20:,.0f} MiB"],
        ["a histogram of 32 values", f"{allocated(histograms(32)):,.0f}", "-", "-"],
        [f"a histogram of {REQUESTS} values", f"{allocated(histograms(REQUESTS)):,.0f}",
         "320 buckets", "-"],
    ]  # fmt: skip


def routes_reported(port: int) -> Callable[[int], object]:
    """Return what makes a pipeline that knows so many routes, and has reported each once."""
    from drain import ours

    def make(number: int) -> object:
        fill, report = ours(number, port)
        fill()
        report()
        return report  # what it closes over; not the samples that `fill` does

    return make


def import_rows(rounds: int) -> list[list[str]]:
    code = (
        "import time; begun = time.process_time(); {}; print((time.process_time() - begun) * 1e3)"
    )
    wanted = {
        name: text
        for name, text in IMPORTS.items()
        if "import" not in text
        or all(
            importlib.util.find_spec(one.strip().split(".")[0])
            for one in text.split(";")[0].removeprefix("import ").split(",")
        )
    }
    times: dict[str, list[float]] = {name: [] for name in wanted}
    for done in range(rounds + 1):
        results_page.progress(f"imports: round {done}/{rounds}")
        for name, text in wanted.items():
            said = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code.format(text)],
                check=True, capture_output=True, text=True,
                cwd=Path(__file__).parent,  # not the tree's own package, but the installed one
            ).stdout  # fmt: skip
            if done:  # the first one writes bytecode
                times[name].append(float(said))
    results_page.progress("imports: done", is_last=True)
    rows = []
    for name, values in times.items():
        median, least, first, third = results_page.spread(values)
        rows.append([name, f"{median:.0f}", f"{least:.0f}", f"{first:.0f} – {third:.0f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    args = parser.parse_args()
    memory = results_page.table(["", "bytes", "at most", "that is"], memory_rows())
    imports = results_page.table(
        ["import", "ms of CPU (median)", "min", "quartiles"], import_rows(args.rounds)
    )
    text = (
        f"## Memory\n\n{results_page.machine()}; tracemalloc, mean of {NUMBER:,}.\n\n{memory}\n\n"
        f"## Imports\n\nFresh processes, {args.rounds} interleaved rounds.\n\n{imports}"
    )
    print(text)
    if args.write:
        command = "python benchmarks/memory_and_imports.py --write"
        results_page.keep("memory_and_imports", text, command)


if __name__ == "__main__":
    main()
