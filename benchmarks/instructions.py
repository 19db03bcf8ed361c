"""Instructions of a request by callgrind: a guard that no busy machine blurs.

Usage: python benchmarks/instructions.py [--framework NAME ...] [--requests N] [--write]

Every variant runs twice under valgrind, with N and with 2N requests; the difference, by N, is one
request. The hash seed is fixed and garbage is not collected, so that two runs of one commit differ
by a fraction of a per cent. Takes about a minute a variant. Needs: pip install -e '.[bench]',
valgrind (`apt-get install valgrind`).
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import results_page
from overhead_apps import MAKERS, WSGI, call_asgi, call_wsgi
from overhead_variants import OTHER, SPAN, VARIANTS
from served_command import SERVERS
from served_instructions import served_per_request

WARM_UP = 20
#: In whole servers, against which the loops are held.
SERVED = {f"{framework} in {server}": server for server, framework in SERVERS.items()}


def be(framework: str, name: str, requests: int) -> None:
    """Be the program that is counted."""
    gc.disable()
    call = call_wsgi if framework in WSGI else call_asgi
    app = VARIANTS[name](framework).app
    call(app, WARM_UP)()
    call(app, requests)()
    os._exit(0)  # what threads and exits do is not of a request


def instructions(framework: str, name: str, requests: int) -> int:
    """Return how many instructions the whole program takes."""
    with tempfile.TemporaryDirectory() as folder:
        return run(framework, name, requests, Path(folder) / "callgrind")


def run(framework: str, name: str, requests: int, out: Path) -> int:
    """Run one variant under valgrind, which writes to `out`; return its instructions."""
    done = subprocess.run(
        [
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
            sys.executable, __file__, "--be", name,
            "--framework", framework, "--requests", str(requests),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    match = re.search(r"Collected : (\d+)", done.stderr)
    if match is None:
        raise ValueError(f"valgrind tells no number:\n{done.stderr[-500:]}")
    return int(match.group(1))


def per_request(framework: str, name: str, requests: int) -> float:
    few = instructions(framework, name, requests)
    return (instructions(framework, name, 2 * requests) - few) / requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", action="append", choices=[*MAKERS, *SERVED])
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--be", choices=list(VARIANTS), help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="keep the table in RESULTS.md")
    args = parser.parse_args()
    if args.be:
        be(args.framework[0], args.be, args.requests)
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not here; apt-get install valgrind")
    rows = []
    frameworks = args.framework or ["wsgi", "asgi", "flask", "starlette", *SERVED]
    for framework in frameworks:
        counts: dict[str, float] = {}
        behind: dict[str, float] = {}  # in the background
        for name in ("bare", "floor", "ours, metrics", SPAN, OTHER):
            results_page.progress(f"instructions: {framework}, {name}")
            if framework in SERVED:
                server = SERVED[framework]
                serving, behind[name] = served_per_request(server, name, 2 * args.requests)
                counts[name] = serving + behind[name]
            else:
                counts[name] = per_request(framework, name, args.requests)
        other = counts[OTHER] - counts["bare"]
        for name, count in counts.items():
            added = count - counts["bare"]
            is_bare = name == "bare"
            rows.append(
                [
                    f"{framework}: {name}",
                    f"{count / 1000:,.1f}",
                    "-" if is_bare else f"{added / 1000:,.1f}",
                    f"{(behind[name] - behind['bare']) / 1000:,.1f}"
                    if behind and not is_bare
                    else "-",
                    "-" if is_bare else f"{added / other:.1%}",
                ]
            )
    results_page.progress("instructions: done", is_last=True)
    columns = [
        "variant", "thousands a request", "added", "of that in the background",
        "share of OpenTelemetry's",
    ]  # fmt: skip
    text = (
        f"## Instructions\n\n{results_page.machine()}; our request path: "
        f"{results_page.which_path()}. Counted by callgrind in all threads: the difference of runs "
        f"with {args.requests} and {2 * args.requests} requests; twice as many in a server, "
        "where garbage is collected and figures are drained, too.\n\n"
        f"{results_page.table(columns, rows)}"
    )
    print(text)
    if args.write:
        results_page.keep("instructions", text, "python benchmarks/instructions.py --write")


if __name__ == "__main__":
    main()
