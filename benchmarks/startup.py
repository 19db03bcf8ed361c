"""What starting costs: `flask run` bare, and as `wf-instrument run` starts it.

Usage: python benchmarks/startup.py [--rounds N] [--write]

The processes are started with `flask routes`, which loads the application as `flask run` does, and
ends. CPU time, of the system's count for the whole process; rounds are interleaved, so that a slow
phase of the machine meets all variants alike. By module: what `-X importtime` tells of the modules
that only the instrumented process loads, the least of three runs; it leaves out the few modules
that are imported by `importlib.import_module`.

All variants read bytecode, as installed packages have it, from a folder that the first round fills.
Without, a checkout is compiled in each process where `PYTHONDONTWRITEBYTECODE` is set, and Flask,
which pip compiled, is not: that would be a cost of the machine's set-up, not of a start.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
MARK = "<!-- startup -->"
APP = Path(__file__).resolve().parents[1] / "sample_apps" / "no_code_change.py"
#: Where no module and no settings of the tree stand before what is installed.
ELSEWHERE = Path(__file__).anchor
FLASK = [sys.executable, "-m", "flask", "--app", str(APP), "routes"]
RUN = [sys.executable, "-m", "wf_instrument", "run", "--service", "startup", "--"]
#: A program that does nothing: what is left is the interpreter's own start, or the command's work.
NOTHING = [sys.executable, "-S", "-c", "pass"]
#: As the command does it: becomes another program.
TWICE = [sys.executable, "-c", f"import os; os.execv({sys.executable!r}, {NOTHING!r})"]
#: Prints its environment: what a worker of a server is started with.
PRINT = [
    sys.executable,
    "-S",
    "-c",
    "import os; print('\\0'.join(map('='.join, os.environ.items())))",
]


def cpu_ms(command: list[str], env: dict[str, str]) -> float:
    """Return milliseconds of CPU that a process took from its start to its end."""
    process = subprocess.Popen(command, env=env, cwd=ELSEWHERE, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return (usage.ru_utime + usage.ru_stime) * 1000


def worker_environment(env: dict[str, str]) -> dict[str, str]:
    done = subprocess.run(
        [*RUN, *PRINT], env=env, cwd=ELSEWHERE, stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(part.split("=", 1) for part in done.stdout.rstrip("\n").split("\0"))


def import_times(env: dict[str, str]) -> Counter[str]:
    """Return microseconds of each module's own code, by module."""
    command = [sys.executable, "-X", "importtime", *FLASK[1:]]
    done = subprocess.run(
        command, env=env, cwd=ELSEWHERE, capture_output=True, text=True, check=True
    )
    rows = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", done.stderr)
    return Counter({name: int(own) for own, name in rows})


def least_import_times(env: dict[str, str]) -> Counter[str]:
    runs = [import_times(env) for _ in range(3)]
    return Counter({name: min(run[name] or own for run in runs) for name, own in runs[0].items()})


def by_package(bare: Counter[str], ours: Counter[str]) -> Counter[str]:
    """Add up what only `ours` imports: our own by package, others by their top."""
    sums: Counter[str] = Counter()
    for name, own in ours.items():
        if name not in bare:
            parts = name.split(".")
            sums[".".join(parts[: 2 if parts[0] == "wf_instrument" else 1])] += own
    return sums


def report(rounds: int) -> str:
    with tempfile.TemporaryDirectory() as state:
        bare = {**os.environ, "XDG_STATE_HOME": state, "WF_REPORTER": f"local://{state}/s.db"}
        for variable in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
            bare.pop(variable, None)
        bare["PYTHONPYCACHEPREFIX"] = f"{state}/bytecode"
        worker = worker_environment(bare)
        variants = {
            "bare": (FLASK, bare),
            "a process that `wf-instrument run` started": (FLASK, worker),
            "`wf-instrument run -- flask`, the command included": ([*RUN, *FLASK], bare),
            "the command alone": ([*RUN, *NOTHING], bare),
            "a bare interpreter, twice, as in the command alone": (TWICE, bare),
        }
        measured: dict[str, list[float]] = {name: [] for name in variants}
        for number in range(rounds + 1):
            for name, (command, env) in variants.items():
                spent = cpu_ms(command, env)
                if number:  # the first round fills caches
                    measured[name].append(spent)
        modules = by_package(least_import_times(bare), least_import_times(worker))
    return table(measured, modules, rounds)


def table(measured: dict[str, list[float]], modules: Counter[str], rounds: int) -> str:
    first = statistics.median(measured["bare"])
    lines = [
        "## Starting",
        "",
        (
            f"CPU milliseconds of `flask routes`, Python {platform.python_version()}, "
            f"{os.cpu_count()} cores, {platform.machine()}; medians of {rounds} interleaved runs."
        ),
        "",
        "| | ms | spread | times bare |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, values in measured.items():
        middle = statistics.median(values)
        spread = f"{min(values):.0f} – {max(values):.0f}"
        lines.append(f"| {name} | {middle:.0f} | {spread} | {middle / first:.2f} |")
    lines += ["", "Imported by the instrumented process alone, each module's own code:", ""]
    lines += ["| package | ms |", "| --- | ---: |"]
    lines += [f"| `{name}` | {own / 1000:.1f} |" for name, own in modules.most_common(14)]
    rest = sum(modules.values()) - sum(own for _, own in modules.most_common(14))
    lines += [f"| others | {rest / 1000:.1f} |", f"| together | {modules.total() / 1000:.1f} |"]
    return "\n".join([*lines, "", "Made by `python benchmarks/startup.py --write`."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    arguments = parser.parse_args()
    text = report(arguments.rounds)
    print(text)
    if arguments.write:
        before, _, rest = RESULTS.read_text(encoding="utf-8").partition(MARK)
        after = rest.partition(MARK)[2] or "\n"
        page = f"{before.rstrip()}\n\n{MARK}\n{text}\n{MARK}{after}"
        RESULTS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
