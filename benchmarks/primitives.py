"""What one span, histogram value or count costs, beside OpenTelemetry and the older SDKs.

Usage: python benchmarks/primitives.py [--number N] [--rounds N] [--write]

Every run is a process of its own, whose CPU time is taken, background threads included; runs are
interleaved. Spans are children of one root; the Wavefront tracers derive RED metrics and hand spans
to a client that throws everything away. Needs: pip install -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import results_page

if TYPE_CHECKING:
    from collections.abc import Callable

#: Variant, what it is, the variant it is held against, and how many times faster it has to be.
ROWS = [
    ("span", "child span, wf-instrument", "span_otel", 3),
    ("span_otel", "child span, OpenTelemetry SDK, batch processor", None, 0),
    ("span_red", "child span with RED metrics, wf-instrument", "span_red_legacy", 10),
    ("span_red_legacy", "child span with RED metrics, wavefront-opentracing-sdk-python", None, 0),
    ("histogram", "histogram add, wf-instrument", "histogram_legacy", 50),
    ("histogram_legacy", "histogram add, wavefront-pyformance", None, 0),
    ("counter", "tagged counter, kept handle, wf-instrument", "counter_legacy", 10),
    ("counter_legacy", "tagged counter, looked up, wavefront-pyformance", None, 0),
]


class NullClient:
    """Throws away what it is sent."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith(("send_", "flush_", "close")):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def span(number: int) -> Callable[[], None]:
    from wf_instrument.reporting.snapshot import SnapshotDraft
    from wf_instrument.tracing import SpanBuffer, WavefrontTracer

    spans = SpanBuffer(10_000)
    tracer = WavefrontTracer(spans)
    root = tracer.start_span("root", ignore_active_span=True)

    def work() -> None:
        for done in range(number):
            tracer.start_span("op", child_of=root).finish()
            if done % 1000 == 0:
                spans.drain_into(SnapshotDraft())
        spans.drain_into(SnapshotDraft())

    return work


def span_otel(number: int) -> Callable[[], None]:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Null(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Null()))
    tracer = provider.get_tracer("bench")
    context = trace.set_span_in_context(tracer.start_span("root"))

    def work() -> None:
        for _ in range(number):
            tracer.start_span("op", context=context).end()
        provider.shutdown()

    return work


def _spans(tracer: Any, number: int) -> Callable[[], None]:
    root = tracer.start_span("root", ignore_active_span=True)

    def work() -> None:
        for _ in range(number):
            tracer.start_span("op", child_of=root).finish()
        tracer.close()

    return work


def span_red(number: int) -> Callable[[], None]:
    from wf_instrument import ApplicationTags
    from wf_instrument.backends.wavefront import WavefrontSpanReporter
    from wf_instrument.tracing import WavefrontTracer

    client: Any = NullClient()
    reporter = WavefrontSpanReporter(client, "host")
    return _spans(WavefrontTracer(reporter, ApplicationTags("app", "service")), number)


def span_red_legacy(number: int) -> Callable[[], None]:
    from wavefront_opentracing_sdk import WavefrontTracer
    from wavefront_opentracing_sdk.reporting import WavefrontSpanReporter
    from wavefront_sdk.common import ApplicationTags

    reporter = WavefrontSpanReporter(NullClient(), "host")
    return _spans(WavefrontTracer(reporter, ApplicationTags("app", "service")), number)


def _adds(add: Callable[[float], None], number: int) -> Callable[[], None]:
    def work() -> None:
        for value in range(number):
            add(value * 0.5)

    return work


def histogram(number: int) -> Callable[[], None]:
    from wf_instrument.metrics import TaggedRegistry, wavefront_histogram

    made = wavefront_histogram(TaggedRegistry(), "h", {"a": "b"})
    work = _adds(made.add, number)
    # What is added is folded in the end, by whoever reads.
    return lambda: (work(), made.get_current_minute_distribution())[0]


def histogram_legacy(number: int) -> Callable[[], None]:
    from wavefront_pyformance.tagged_registry import TaggedRegistry
    from wavefront_pyformance.wavefront_histogram import wavefront_histogram

    return _adds(wavefront_histogram(TaggedRegistry(), "h", {"a": "b"}).add, number)


def counter(number: int) -> Callable[[], None]:
    from wf_instrument.metrics import TaggedRegistry

    kept = TaggedRegistry().counter("c", {"a": "b", "c": "d"})

    def work() -> None:
        for _ in range(number):
            kept.inc()

    return work


def counter_legacy(number: int) -> Callable[[], None]:
    from wavefront_pyformance.tagged_registry import TaggedRegistry

    registry = TaggedRegistry()

    def work() -> None:
        for _ in range(number):
            registry.counter("c", tags={"a": "b", "c": "d"}).inc()

    return work


def measure(variant: str, number: int) -> float:
    """Return microseconds of CPU for one."""
    warnings.simplefilter("ignore")
    work = globals()[variant](number)
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / number * 1e6


def run(variant: str, number: int) -> float:
    command = [sys.executable, __file__, "--be", variant, "--number", str(number)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=600
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def table(results: dict[str, list[float]], number: int) -> str:
    rounds = len(results["span"])
    lines = [
        "## Spans, histograms, counters",
        "",
        (
            f"{number:,} of each, {results_page.machine()}; medians of {rounds} interleaved "
            "runs, CPU of the whole process."
        ),
        "",
        "| | µs | quicker than its counterpart | wanted |",
        "| --- | ---: | ---: | ---: |",
    ]
    for variant, label, other, wanted in ROWS:
        here = statistics.median(results[variant])
        ratio = f"{statistics.median(results[other]) / here:.1f}x" if other else "-"
        lines.append(f"| {label} | {here:.2f} | {ratio} | {f'{wanted}x' if other else '-'} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    parser.add_argument("--be", choices=[row[0] for row in ROWS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        print(json.dumps(measure(options.be, options.number)))
        sys.stdout.flush()
        os._exit(0)  # the SDKs' threads would keep the process for a while
    results: dict[str, list[float]] = {row[0]: [] for row in ROWS}
    for number in range(options.rounds):
        for variant, into in results.items():
            sys.stderr.write(f"\rround {number + 1}/{options.rounds} {variant:18}")
            into.append(run(variant, options.number))
    sys.stderr.write("\n")
    text = table(results, options.number)
    print(text)
    if options.write:
        results_page.keep("primitives", text, "python benchmarks/primitives.py --write")


if __name__ == "__main__":
    main()
