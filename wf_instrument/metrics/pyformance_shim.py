"""The one door to pyformance, which imports a module that setuptools no longer brings.

pyformance 0.4 begins with `__import__('pkg_resources').declare_namespace(__name__)`. On a Python
without setuptools that fails, with an old one it warns, with a new one it is gone. So while
pyformance is imported an empty stand-in answers to that name. Delete this module once pyformance
imports without it.

Its decorator `hist_calls` calls `Histogram.update`, which its histograms lack. They get it here.

Threads: importing happens once, under the import lock of this module.
"""

from __future__ import annotations

import sys
import types
import warnings

__all__ = [
    "CallbackGauge",
    "Counter",
    "Gauge",
    "Histogram",
    "Meter",
    "MetricsRegistry",
    "Reporter",
    "SimpleGauge",
    "Timer",
    "global_registry",
    "pyformance",
]


def _import_pyformance() -> types.ModuleType:
    if "pyformance" not in sys.modules:
        real = sys.modules.get("pkg_resources")
        stand_in = types.ModuleType("pkg_resources")
        stand_in.declare_namespace = lambda name: None  # type: ignore[attr-defined]  # all it uses
        sys.modules["pkg_resources"] = stand_in
        try:
            # Its regular expressions are no raw strings, of which compilers warn.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                import pyformance.meters
                import pyformance.registry
                import pyformance.reporters.reporter  # noqa: F401 - so that all three are loaded
        finally:
            if real is None:
                del sys.modules["pkg_resources"]
            else:
                sys.modules["pkg_resources"] = real
    return sys.modules["pyformance"]


pyformance = _import_pyformance()

from pyformance.meters import (  # noqa: E402 - only importable from here on
    CallbackGauge,
    Counter,
    Gauge,
    Histogram,
    Meter,
    SimpleGauge,
    Timer,
)
from pyformance.registry import MetricsRegistry, global_registry  # noqa: E402 - as above
from pyformance.reporters.reporter import Reporter  # noqa: E402 - as above

if not hasattr(Histogram, "update"):
    # Not `Histogram.add` itself, which subclasses replace.
    Histogram.update = lambda self, value: self.add(value)
