"""`import wf_instrument` is free: it loads nothing, starts nothing, opens nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: `-c` puts the current folder first: a checkout there would hide the installed package.
ELSEWHERE = Path(sys.executable).parent

PROGRAM = """
import sys, threading, os
opened = []
class Env(dict):
    read = []
    def __getitem__(self, key): Env.read.append(key); return dict.__getitem__(self, key)
    def get(self, key, default=None): Env.read.append(key); return dict.get(self, key, default)
before = set(sys.modules)
os.environ = Env(os.environ)
def hook(event, arguments):
    if event in {"open", "socket.__new__", "subprocess.Popen", "os.fork"}:
        opened.append((event, str(arguments[0]) if arguments else ""))
sys.addaudithook(hook)
import wf_instrument
forbidden = {"flask", "starlette", "django", "fastapi", "werkzeug", "wrapt", "urllib3",
             "opentracing", "pyformance", "click", "asyncio", "sqlite3", "uvicorn"}
loaded = sorted(m for m in set(sys.modules) - before if m.split(".")[0] in forbidden)
assert not loaded, loaded
assert threading.active_count() == 1
own = [o for o in opened if not o[1].endswith((".py", ".pyc")) and "__pycache__" not in o[1]]
assert not own, own
assert not Env.read, Env.read
assert wf_instrument.__version__
print("free")
"""


def test_importing_the_package_loads_starts_and_opens_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=ELSEWHERE
    )
    assert (done.stdout, done.stderr) == ("free\n", "")
    assert done.returncode == 0


def test_pyformance_is_importable_through_the_shim_without_setuptools() -> None:
    program = """
import sys
sys.modules["pkg_resources"] = None  # as if setuptools were not installed
from wf_instrument.metrics import pyformance_shim
assert pyformance_shim.MetricsRegistry().counter("a").get_count() == 0
assert sys.modules.get("pkg_resources") is None
import pyformance
print("works")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ELSEWHERE,
    )
    assert (done.stdout, done.stderr) == ("works\n", "")


#: What no worker of a Flask program with the default reporter needs before its first request, and
#: mostly never: the module itself, and all below it.
NOT_AT_START = {
    # other reporters, and what only they need
    "wf_instrument.backends.apptuit", "wf_instrument.backends.librato",
    "wf_instrument.backends.signalfx", "wf_instrument.backends.wavefront",
    "wf_instrument.metrics.conventions.dimensional",
    "wf_instrument.metrics.conventions.hierarchical", "wf_instrument.reporting.console",
    "wf_instrument.reporting.datum", "wf_instrument.reporting.file",
    "wf_instrument.reporting.memory", "wf_instrument.sender", "google", "requests", "urllib3",
    "websockets",
    # what reads a store
    "wf_instrument.backends.local.reader", "wf_instrument.backends.local.results",
    "wf_instrument.dashboard", "starlette", "uvicorn",
    # what settings, arguments or a program's own code ask for
    "wf_instrument.metrics.runtime", "wf_instrument.reporting.red_producer",
    "wf_instrument.reporting.runtime_producer", "wf_instrument.testing", "wf_instrument.traced",
    "wf_instrument.tracing.red_metrics", "wf_instrument.tracing.reporters",
    "wf_instrument.web.access_line", "wf_instrument.web.caller_headers",
    "wf_instrument.web.captured_headers", "wf_instrument.web.extras",
    "wf_instrument.web.websocket", "wf_instrument.compat", "wf_instrument.outgoing", "psutil",
    "wrapt",
    # the command's work
    "wf_instrument.auto.discovery", "wf_instrument.auto.distribution_facts", "wf_instrument.cli",
}  # fmt: skip

FLASK_STARTS = f"""
import sys
read = []
sys.addaudithook(lambda event, given: read.append(str(given[0])) if event == "open" else None)
import flask
app = flask.Flask("starts")
app.add_url_rule("/", view_func=lambda: "served")
assert "wf_instrument.backends.local.reporter" in sys.modules  # it is instrumented
unwanted = {NOT_AT_START!r}
for module in sorted(sys.modules):
    if any(module == one or module.startswith(one + ".") for one in unwanted):
        print("loaded:", module)
for path in read:
    if path.endswith("entry_points.txt") and "wf_instrument" not in path:
        print("read:", path)
before = set(sys.modules)
assert app.test_client().get("/").data == b"served"
for module in sorted(set(sys.modules) - before):
    if module.startswith("wf_instrument"):
        print("loaded by the first request:", module)
"""


def started(program: str, folder: Path, *arguments: str) -> str:
    """Return what a program prints under `wf-instrument run`, with the default reporter."""
    command = [sys.executable, "-m", "wf_instrument", "run", *arguments, "--"]
    variables = {key: text for key, text in os.environ.items() if not key.startswith("WF_")}
    done = subprocess.run(
        [*command, sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=folder,
        env={**variables, "XDG_STATE_HOME": str(folder)},
        timeout=60,
    )
    return done.stdout


@pytest.mark.slow
def test_a_flask_program_starts_with_what_it_needs_and_its_first_request_loads_nothing(
    tmp_path: Path,
) -> None:
    assert started(FLASK_STARTS, tmp_path, "--tick-s", "60") == ""


@pytest.mark.slow
def test_a_program_without_a_framework_loads_a_few_small_modules_of_ours(tmp_path: Path) -> None:
    listing = "import sys; print(*sorted(m for m in sys.modules if m.startswith('wf_instrument')))"
    assert started(listing, tmp_path).split() == [
        "wf_instrument", "wf_instrument._version", "wf_instrument.auto",
        "wf_instrument.auto.after_import", "wf_instrument.auto.environment",
        "wf_instrument.auto.found", "wf_instrument.auto.made", "wf_instrument.auto.notice",
        "wf_instrument.auto.site_start", "wf_instrument.auto.start",
        "wf_instrument.auto.termination",
    ]  # fmt: skip


def test_the_run_command_loads_neither_click_nor_what_records() -> None:
    program = """
import os, sys
before = set(sys.modules)
def become(file, arguments, environ):
    assert arguments == ["true"] and environ["WF_SERVICE"] == "shop"
    unwanted = {"asyncio", "click", "logging", "opentracing", "pyformance", "sqlite3", "urllib3",
                "uuid", "wrapt"}
    print("loaded:", *sorted(unwanted & (set(sys.modules) - before)))
    ours = {"backends", "integrations", "metrics", "reporting", "sender", "tracing", "web"}
    print("loaded:", *sorted(one for one in ours if f"wf_instrument.{one}" in sys.modules))
    sys.stdout.flush()
    os._exit(0)
os.execvpe = become
os.environ["WF_REPORTER"] = "null://"
sys.argv = ["wf-instrument", "run", "--service", "shop", "--", "true"]
from wf_instrument.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ELSEWHERE
    )
    assert (done.stdout, done.stderr) == ("loaded:\nloaded:\n", "")
