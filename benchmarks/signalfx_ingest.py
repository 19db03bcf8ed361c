"""What ingest of SignalFx points costs: this library beside the package it succeeds, in one run.

Usage: python benchmarks/signalfx_ingest.py [--points N] [--rounds N] [--minutes M]
       [--legacy-python PATH] [--write]

Every run is a process of its own, in interleaved rounds, that sends gauges with three dimensions
to a receiver in another process. CPU time is that of the whole sending process after its imports.
`--minutes` is how long 100,000 points a minute are sent while the memory is read every second.
`--legacy-python` is the interpreter of an environment with `signalfx` and `protobuf<3.21`, which
cannot share one with newer packages; without it only this library is measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("RESULTS.md")
MARK = "<!-- signalfx_ingest -->"
MIB = 1024.0  # `ru_maxrss` counts KiB
POINTS_A_MINUTE = 100_000
STEP_S = 0.1


def receive() -> None:
    """Be the receiver."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def point(number: int) -> dict[str, Any]:
    return {
        "metric": "bench.queue.length",
        "value": number,
        "timestamp": 1500000000000 + number,
        "dimensions": {"host": "web-1", "shop": "north", "shard": str(number % 100)},
    }


def client_of(variant: str, url: str, size: int) -> Any:
    if variant == "legacy":
        from signalfx.ingest import ProtoBufSignalFxIngestClient

        return ProtoBufSignalFxIngestClient("TOKEN", endpoint=url)
    from wf_instrument.backends.signalfx import ProtoBufSignalFxIngestClient as Ours

    return Ours("TOKEN", url, max_queue_size=size)


def send(variant: str, url: str, points: int) -> None:
    """Send so many points one by one as fast as it goes; print CPU seconds and memory."""
    client = client_of(variant, url, points)
    base = resource.getrusage(resource.RUSAGE_SELF)
    begun, cpu = time.perf_counter(), time.process_time()
    for number in range(points):
        client.send(gauges=[point(number)])
    if variant == "legacy":
        client.stop()
    else:
        client.stop(timeout_s=300)
    used = {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - begun,
        "added_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base.ru_maxrss) / MIB,
    }
    if variant != "legacy":
        assert (client.sent, client.dropped) == (points, 0)
    print(json.dumps(used), flush=True)


def sustain(url: str, minutes: float) -> None:
    """Send 100,000 points a minute; print the resident memory of every second, in MiB."""
    client = client_of("ours", url, 50_000)
    each = round(POINTS_A_MINUTE * STEP_S / 60)
    line, number, begun, cpu = [], 0, time.monotonic(), time.process_time()
    for step in range(round(minutes * 60 / STEP_S)):
        client.send(gauges=[point(number + n) for n in range(each)])
        number += each
        if step % 10 == 9:
            pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
            line.append(pages * resource.getpagesize() / 1024 / 1024)
        time.sleep(max(0.0, begun + (step + 1) * STEP_S - time.monotonic()))
    cpu = time.process_time() - cpu
    client.stop()
    told = {"points": number, "sent": client.sent, "dropped": client.dropped, "cpu_s": cpu}
    print(json.dumps({**told, "rss_mib": line}), flush=True)


def run(python: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(options: argparse.Namespace, url: str) -> list[str]:
    variants = {"ours": sys.executable}
    if options.legacy_python:
        variants["legacy"] = options.legacy_python
    runs: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for _ in range(options.rounds):
        for variant, python in variants.items():
            arguments = ("--send", variant, "--url", url, "--points", str(options.points))
            runs[variant].append(run(python, *arguments))
    names = {"ours": "wf-instrument", "legacy": "signalfx 1.1.16"}
    lines = [
        f"{options.points:,} gauges with three dimensions, one a call, {options.rounds} rounds,",
        f"median (lowest to highest); {platform.python_implementation()}",
        f"{platform.python_version()}, {platform.machine()}.",
        "",
        "| client | points per CPU second | CPU µs a point | memory added |",
        "| --- | --- | --- | --- |",
    ]
    medians = {}
    for variant, results in runs.items():
        rates = sorted(options.points / one["cpu_s"] for one in results)
        medians[variant] = statistics.median(rates)
        added = statistics.median(one["added_mib"] for one in results)
        lines.append(
            f"| {names[variant]} | {medians[variant]:,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f}) "
            f"| {1e6 / medians[variant]:.1f} | {added:.1f} MiB |"
        )
    if len(medians) > 1:
        ratio = medians["ours"] / medians["legacy"]
        lines += ["", f"Points per CPU second: {ratio:.1f} times those of the older client."]
    return lines


def hold(options: argparse.Namespace, url: str) -> list[str]:
    told = run(sys.executable, "--sustain", "--url", url, "--minutes", str(options.minutes))
    line = told["rss_mib"]
    third = max(1, len(line) // 3)
    parts = [statistics.mean(line[n * third : (n + 1) * third]) for n in range(3)]
    return [
        "",
        f"Sustained, 100,000 points a minute for {options.minutes:g} minutes: {told['sent']:,} of",
        f"{told['points']:,} points arrived, {told['dropped']} dropped,",
        f"{told['cpu_s']:.2f} CPU seconds. Resident memory in the first, second and last third:",
        f"{parts[0]:.1f}, {parts[1]:.1f}, {parts[2]:.1f} MiB; highest {max(line):.1f} MiB.",
    ]


def write(lines: list[str]) -> None:
    text = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    front, _, rest = text.partition(MARK)
    _, _, behind = rest.partition(MARK)
    head = ["## Ingest of SignalFx points", ""]
    made_by = [
        "",
        "Made by `python benchmarks/signalfx_ingest.py --legacy-python PATH --write`, and not by",
        "`tox -e bench`: the older client needs an environment of its own.",
    ]
    body = "\n".join([*head, *lines, *made_by])
    RESULTS.write_text(f"{front.rstrip()}\n\n{MARK}\n{body}\n{MARK}{behind or chr(10)}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--legacy-python")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sustain", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--send", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write and not options.legacy_python:
        parser.error("--write needs --legacy-python: the results are a comparison")
    if options.receive:
        receive()
    elif options.send:
        send(options.send, options.url, options.points)
    elif options.sustain:
        sustain(options.url, options.minutes)
    else:
        receiver = subprocess.Popen(
            [sys.executable, __file__, "--receive"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert receiver.stdout is not None
            url = f"http://127.0.0.1:{int(receiver.stdout.readline())}"
            lines = compare(options, url) + hold(options, url)
        finally:
            receiver.terminate()
            receiver.wait()
        print("\n".join(lines))
        if options.write:
            write(lines)


if __name__ == "__main__":
    main()
