"""What a report costs by number of series, and beside the reporter it succeeds.

Usage: python benchmarks/drain.py [--rounds N] [--series N ...] [--beside N] [--write]

The series are in the mix that requests make (per route and method: 1 gauge, 3 counters, 4 deltas,
and histograms of latency, CPU, time to first byte and body sizes), every series is active, and
every histogram has 32 centroids. Ours: what the requests left is folded, named, formatted,
compressed and posted. The older reporter (wavefront-pyformance on wavefront-sdk-python) is given
the same series with the same centroids in its registry. CPU time of the whole process; filling is
not counted, although adding to a histogram costs the older one more than all of this. Every run is
a process of its own; runs are interleaved. Needs: pip install -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING

import results_page
from receiver import lines_received, receiver

if TYPE_CHECKING:
    from collections.abc import Callable

#: Of a route and method: gauge, counters, deltas, histograms.
GAUGES, COUNTERS, DELTAS, HISTOGRAMS = 1, 3, 4, 5
PER_ROUTE = GAUGES + COUNTERS + DELTAS + HISTOGRAMS
CENTROIDS = 32
WANTED = 10
#: Values a bucket, where buckets are looked at.
FOLDED = 10


def values_ns(route: int, each: int = 1) -> list[int]:
    """Return latencies, each in a bucket of its own: 32 of them are 32 centroids in any package.

    With `each` above 1, so many different ones fall into each bucket.
    """
    fastest = random.Random(route).uniform(0.5e6, 5e6)
    steps = [round(fastest * 1.05**step) for step in range(CENTROIDS)]
    return [ns + repeat for repeat in range(each) for ns in steps]


def ours(routes: int, port: int, each: int = 1) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what leaves requests on every route, and what reports them."""
    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.backends.wavefront.request_reporter import WavefrontPipelineReporter
    from wf_instrument.reporting.pipeline import Pipeline
    from wf_instrument.settings import Settings
    from wf_instrument.web.recorder import Recorder

    settings = Settings(
        application="shop", service="styling", cluster="eu-1", shard="primary", source="host-1"
    )
    pipeline = Pipeline(settings.identity(), 3600)
    client = WavefrontClient(
        f"http://127.0.0.1:{port}", "token", flush_interval_seconds=3600, batch_size=10_000,
        max_queue_size=10_000_000, enable_internal_metrics=False,
    )  # fmt: skip
    pipeline.add_reporter("wavefront", WavefrontPipelineReporter(client, settings.identity()))
    recorder = Recorder(
        "flask", settings, pipeline, None, lambda route: (str(route), f"view_{route}"[:20], None)
    )
    names = [f"/style/<path:id>/make/{number}" for number in range(routes)]
    samples = [
        [(ns, ns // 3, ns // 2, ns // 1000, ns // 500) for ns in values_ns(route, each)]
        for route in range(routes)
    ]

    def fill() -> None:
        for name, left in zip(names, samples, strict=True):
            cell = recorder.handle(name, "GET", "http", "HTTP/1.1").cell(200, None, None)
            for sample in left:
                cell.samples.append(sample)
            recorder.list_cell(cell)

    def report() -> None:
        if not pipeline.flush(120):
            raise RuntimeError("the receiver did not take everything")

    return fill, report


def legacy(routes: int, port: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """As `ours`, with the registry and the reporter of the older packages."""
    from wavefront_pyformance.delta import delta_counter
    from wavefront_pyformance.tagged_registry import TaggedRegistry
    from wavefront_pyformance.wavefront_histogram import wavefront_histogram
    from wavefront_pyformance.wavefront_reporter import WavefrontDirectReporter

    registry = TaggedRegistry()
    reporter = WavefrontDirectReporter(
        f"http://127.0.0.1:{port}", "token", "host-1", registry, prefix="", reporting_interval=3600,
        tags={"application": "shop", "cluster": "eu-1", "service": "styling", "shard": "primary"},
        enable_internal_metrics=False,
    ).report_minute_distribution()  # fmt: skip
    counters, deltas, gauges, histograms = [], [], [], []
    for number in range(routes):
        tags = {"flask.func": f"view_{number}"}
        name = f"flask.response.style.path-id.make.{number}.GET.200"
        counters += [registry.counter(f"{name}.{i}.count", tags) for i in range(COUNTERS)]
        deltas += [delta_counter(registry, f"{name}.{i}.count", tags) for i in range(DELTAS)]
        gauges += [registry.gauge(f"{name}.{i}.value", tags=tags) for i in range(GAUGES)]
        histograms += [
            wavefront_histogram(registry, f"{name}.{i}", tags) for i in range(HISTOGRAMS)
        ]
    values = [
        [ns / 1e6 for ns in values_ns(number // HISTOGRAMS)] for number in range(len(histograms))
    ]
    shift_s = 0.0
    true_time = time.time
    time.time = lambda: true_time() + shift_s  # a distribution is sent when its minute is over

    def fill() -> None:
        nonlocal shift_s
        for counter in (*counters, *deltas):
            counter.inc(CENTROIDS)
        for gauge in gauges:
            gauge.set_value(1)
        for one, its_values in zip(histograms, values, strict=True):
            for value in its_values:
                one.add(value)
        shift_s += 61

    def report() -> None:
        reporter.report_now()
        reporter.wavefront_client.flush_now()

    return fill, report


def measure(variant: str, routes: int, port: int, reports: int) -> dict[str, float]:
    """Return the milliseconds of CPU of the first report and of those after it."""
    warnings.simplefilter("ignore")
    if variant == "legacy":
        fill, report = legacy(routes, port)
    else:
        fill, report = ours(routes, port, FOLDED if variant == "folded" else 1)
    times = []
    for _ in range(reports):
        fill()
        gc.collect()
        begun = time.process_time()
        report()
        times.append((time.process_time() - begun) * 1e3)
    lines = lines_received(port)
    return {
        "first": times[0],
        "further": statistics.median(times[1:] or times),
        "lines": lines / reports,
    }


def run(variant: str, series: int, port: int, reports: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--be", variant, "--port", str(port)]
    command += ["--beside", str(series), "--reports", str(reports)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=900)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def tables(got: dict[str, list[dict[str, float]]], beside: int, sizes: list[int]) -> str:
    """Return both tables."""

    def row(label: str, of: str, which: str) -> tuple[list[str], float]:
        median, least, first, third = results_page.spread([one[which] for one in got[of]])
        lines = statistics.median(one["lines"] for one in got[of])
        per_series = f"{median * 1e3 / lines:.1f}"
        figures = f"{median:,.1f}", f"{least:,.1f}", f"{first:,.1f} – {third:,.1f}", per_series
        return [label, f"{lines:,.0f}", *figures], median

    columns = ["", "series", "ms of CPU (median)", "min", "quartiles", "µs/series"]
    other, slow = row("wavefront-pyformance, each report", "legacy", "further")
    beside_rows = [[*other, "1.0", "-"]]
    for label, of, which in (
        ("further reports", "ours", "further"),
        (f"the same of {FOLDED} times the requests", "folded", "further"),
        ("first report, makes names", "ours", "first"),
    ):
        cells, median = row(f"wf-instrument, {label}", of, which)
        wanted = f"{WANTED}" if (of, which) == ("ours", "further") else "-"
        beside_rows.append([*cells, f"{slow / median:.1f}", wanted])
    by_size = []
    for size in sizes:
        by_size.append(row("further reports", str(size), "further")[0])
        by_size.append(row("first report", str(size), "first")[0])
    return (
        f"## Reporting\n\n{results_page.machine()}; {len(got['ours'])} interleaved rounds. Fold, "
        "name, format, compress and post what requests left in active series; histograms of "
        f"{CENTROIDS} centroids, in the mix of a route: {GAUGES} gauge, {COUNTERS} counters, "
        f"{DELTAS} deltas, {HISTOGRAMS} histograms. Adding to the histograms is not in it.\n\n"
        f"{results_page.table([*columns, 'times', 'wanted'], beside_rows)}\n\n"
        f"By number of series:\n\n{results_page.table(columns, by_size)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--series", type=int, nargs="*", default=[13, 1_000, 100_000])
    parser.add_argument("--beside", type=int, default=10_000, help="series of the comparison")
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    parser.add_argument("--be", choices=["ours", "folded", "legacy"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--reports", type=int, default=4, help="of a process")
    args = parser.parse_args()
    if args.be:
        routes = max(1, args.beside // PER_ROUTE)
        print(json.dumps(measure(args.be, routes, args.port, args.reports)))
        return
    got: dict[str, list[dict[str, float]]] = {}
    with receiver() as port:
        for done in range(args.rounds):
            results_page.progress(f"drain: round {done + 1}/{args.rounds}")
            for variant in ("ours", "folded", "legacy"):
                got.setdefault(variant, []).append(run(variant, args.beside, port, args.reports))
            for series in args.series:
                got.setdefault(str(series), []).append(run("ours", series, port, args.reports))
    results_page.progress("drain: done", is_last=True)
    text = tables(got, args.beside, args.series)
    print(text)
    if args.write:
        results_page.keep("drain", text, "python benchmarks/drain.py --write")


if __name__ == "__main__":
    main()
