"""Where the microseconds of a request go: what each of its steps costs by itself.

Usage: python benchmarks/step_budget.py [--rounds N] [--write]

Steps of the request path in Python are timed as small loops, the loop itself taken off; rounds are
interleaved. They are written out here as that path does them, so they add up to what it has to cost
at least; the rest, up to the figure that `request_overhead.py` finds, is calls between the steps.
Steps of the compiled path are C functions, whose instructions callgrind counts in whole requests;
needs valgrind.
"""

from __future__ import annotations

import argparse
import time
import timeit
from contextvars import ContextVar
from random import Random

import results_page
from step_functions import table_of_functions

NUMBER = 20_000
MADE = {
    "wall": time.time_ns,
    "clock": time.perf_counter_ns,
    "cpu": time.thread_time_ns,
    "table": {(id(number), "GET", "http", "HTTP/1.1"): object() for number in range(100)},
    "key": id(7),
    "cells": {200: object()},
    "samples": [],
    "live": {},
    "current": ContextVar("current"),
    "bits": Random(7).getrandbits,
}
#: Step, how often a request takes it, and its code.
STEPS = [
    ("wall clock", 1, "wall()"),
    ("monotonic clock", 3, "clock()"),
    ("CPU clock of the thread", 2, "cpu()"),
    ("note and forget the live request", 1, "live[key] = samples; del live[key]"),
    ("find the route's handle", 1, "table.get((key, 'GET', 'http', 'HTTP/1.1'))"),
    ("find the cell of the status", 1, "cells.get(200)"),
    ("append the sample", 1, "samples.append((1, 2, 3, 4, 5)); samples.clear()"),
    ("span: trace and span id", 1, "bits(128); bits(64)"),
    ("span: make current, reset", 1, "token = current.set(key); current.reset(token)"),
]


def spans() -> tuple[str, dict[str, object]]:
    """Return the code of one whole span, and its names."""
    from wf_instrument.reporting.snapshot import SnapshotDraft
    from wf_instrument.tracing import SpanBuffer, WavefrontTracer

    buffer = SpanBuffer(NUMBER + 1)
    tracer = WavefrontTracer(buffer)
    root = tracer.start_span("root", ignore_active_span=True)
    buffer.drain_into(SnapshotDraft())
    names = {"start": tracer.start_span, "root": root}
    return "start('op', child_of=root).finish()", names


def cost_us(code: str, names: dict[str, object]) -> float:
    return timeit.timeit(code, globals=names, number=NUMBER) / NUMBER * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="keep the table in RESULTS.md")
    args = parser.parse_args()
    span_code, span_names = spans()
    steps = [*STEPS, ("a whole span (child span by the public call)", 1, span_code)]
    times: list[list[float]] = [[] for _ in steps]
    for done in range(args.rounds):
        results_page.progress(f"step budget: round {done + 1}/{args.rounds}")
        empty = cost_us("pass", dict(MADE))
        for into, (_, _, code) in zip(times, steps, strict=True):
            into.append(cost_us(code, {**MADE, **span_names}) - empty)
    results_page.progress("step budget: done", is_last=True)
    rows, total = [], 0.0
    for (name, often, _), values in zip(steps, times, strict=True):
        median, least, _, _ = results_page.spread(values)
        share = median * often
        total += share if "whole" not in name else 0.0
        rows.append([name, f"{often}", f"{median:.3f}", f"{least:.3f}", f"{share:.2f}"])
    rows.append(["the steps above, without the whole span", "", "", "", f"{total:.2f}"])
    text = (
        f"## Budget of a request, step by step\n\n{results_page.machine()}; {args.rounds} "
        f"interleaved rounds of {NUMBER:,}: the path in Python. What is added beyond this is calls "
        "between the steps, and the framework's own objects being asked for the route.\n\n"
        + results_page.table(["step", "times", "µs each (median)", "min", "µs a request"], rows)
    )
    functions = table_of_functions(["flask", "starlette"])
    if functions:
        text += (
            "\n\nThe compiled path: instructions a request, with all that a function calls in turn "
            f"in Python's own library.\n\n{functions}"
        )
    print(text)
    if args.write:
        results_page.keep("step_budget", text, "python benchmarks/step_budget.py --write")


if __name__ == "__main__":
    main()
