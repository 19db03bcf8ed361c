"""`import wf_instrument` is free: it loads nothing, starts nothing, opens nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
