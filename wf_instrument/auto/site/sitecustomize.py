"""Starts the instrumentation of this process; `wf-instrument run` puts its folder on PYTHONPATH.

Python imports the first `sitecustomize` it finds. Another one, further on, runs as it would have.
"""

import os
import sys


def _run_the_other() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    # The application need not see our folder; processes that it starts have PYTHONPATH.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _start() -> None:
    try:
        from wf_instrument.auto.site_start import start

        start()
    except Exception as error:  # noqa: BLE001 - the program starts all the same
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stderr.write(f"wf-instrument: nothing is instrumented by {sys.executable}: {reason}\n")


try:
    _run_the_other()
finally:
    _start()
