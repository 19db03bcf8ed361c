"""What sending a point costs: the Wavefront client beside the package it succeeds, in one run.

Usage: python benchmarks/sender_throughput.py [--points N] [--rounds N] [--write]

Every run is a process of its own that sends points in a tight loop, with default settings, to a
receiver in another process that counts lines; runs are interleaved. CPU time is that of the whole
sending process after its imports: formatting, queueing, compressing, posting. Memory is its peak,
and what the work added to the peak of the imports. Needs: pip install -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import subprocess
import sys
import time
from typing import Any

import results_page
from receiver import lines_received, receiver

VARIANTS = {
    "ours": "wf-instrument, default settings",
    "block": 'wf-instrument, `on_full="block"`',
    "legacy": "wavefront-sdk-python, default settings",
}
MIB = 1024.0  # `ru_maxrss` counts KiB


def send(variant: str, port: int, points: int) -> dict[str, float]:
    """Be the sender; return what it cost."""
    import resource

    url = f"http://127.0.0.1:{port}"
    client: Any
    if variant == "legacy":
        from wavefront_sdk.client_factory import WavefrontClientFactory

        factory: Any = WavefrontClientFactory()
        factory.add_client(url)
        client = factory.get_client()
    else:
        from wf_instrument.backends.wavefront.client import WavefrontClient

        options: Any = {"on_full": "block"} if variant == "block" else {}
        client = WavefrontClient(url, **options)
    names = [f"new_york.power.usage.{number}" for number in range(20)]
    sources = [f"host-{number}" for number in range(50)]
    tags = [{"datacenter": f"dc{number}", "env": "prod"} for number in range(10)]
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    refused = 0
    for number in range(points):
        try:
            client.send_metric(
                names[number % 20],
                number * 0.5,
                1_533_529_977 + number // 1000,
                sources[number % 50],
                tags[number % 10],
            )
        except queue.Full:
            refused += 1
    client.flush_now()
    client.close()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.monotonic() - begun,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "refused": refused,
        "peak": after.ru_maxrss / MIB,
        "growth": (after.ru_maxrss - before.ru_maxrss) / MIB,
    }


def run(variant: str, port: int, points: int) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--be",
        variant,
        "--port",
        str(port),
        "--points",
        str(points),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    result: dict[str, float] = json.loads(done.stdout)
    result["delivered"] = lines_received(port)
    result["lost"] = points - result["delivered"] - result["refused"]
    return result


def table(results: dict[str, list[dict[str, float]]], points: int) -> str:
    def median(variant: str, key: str) -> float:
        return statistics.median(one[key] for one in results[variant])

    def rate(variant: str) -> float:
        return statistics.median(one["delivered"] / one["cpu"] for one in results[variant])

    setting = (
        f"{points:,} points in a tight loop, {results_page.machine()}; medians of "
        f"{len(results['ours'])} interleaved runs. Refused: told to the caller by `queue.Full`. "
        "CPU: of the whole process, a delivered point. Peak: resident memory, and what the work "
        "added to the imports."
    )
    head = (
        "| client | delivered | refused | lost unsaid | CPU µs/point | points per CPU second |"
        " times | peak MiB | added MiB |"
    )
    rule = "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    lines = ["## Sending points (Wavefront line protocol)", "", setting, "", head, rule]
    for variant, label in VARIANTS.items():
        cells = [
            f"{median(variant, 'delivered'):,.0f}",
            f"{median(variant, 'refused'):,.0f}",
            f"{median(variant, 'lost'):,.0f}",
            f"{1e6 / rate(variant):.1f}",
            f"{rate(variant):,.0f}",
            f"{rate(variant) / rate('legacy'):.1f}",
            f"{median(variant, 'peak'):.0f}",
            f"{median(variant, 'growth'):.1f}",
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    parser.add_argument("--be", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        print(json.dumps(send(options.be, options.port, options.points)))
    else:
        results: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
        with receiver() as port:
            for number in range(options.rounds):
                for variant, into in results.items():
                    sys.stderr.write(f"\rround {number + 1}/{options.rounds} {variant:8}")
                    into.append(run(variant, port, options.points))
        sys.stderr.write("\n")
        text = table(results, options.points)
        print(text)
        if options.write:
            results_page.keep(
                "sender_throughput", text, "python benchmarks/sender_throughput.py --write"
            )


if __name__ == "__main__":
    main()
