"""See your web application: every request timed, counted and traced.

Importing this package loads nothing but itself: the names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from wf_instrument._version import __version__

if TYPE_CHECKING:
    from wf_instrument.auto.start import auto_instrument
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.policies import observe
    from wf_instrument.settings import Settings
    from wf_instrument.telemetry import (
        flush,
        get_registry,
        get_tracer,
        instrument,
        shutdown,
        start_reporting,
    )
    from wf_instrument.traced import span, trace
    from wf_instrument.web.dimensions import set_dimension

__all__ = [
    "ApplicationTags",
    "Settings",
    "__version__",
    "auto_instrument",
    "flush",
    "get_registry",
    "get_tracer",
    "instrument",
    "observe",
    "set_dimension",
    "shutdown",
    "span",
    "start_reporting",
    "trace",
]

_HOMES: Final = {
    "ApplicationTags": "wf_instrument.identity",
    "Settings": "wf_instrument.settings",
    "auto_instrument": "wf_instrument.auto.start",
    "flush": "wf_instrument.telemetry",
    "get_registry": "wf_instrument.telemetry",
    "get_tracer": "wf_instrument.telemetry",
    "instrument": "wf_instrument.telemetry",
    "observe": "wf_instrument.policies",
    "set_dimension": "wf_instrument.web.dimensions",
    "shutdown": "wf_instrument.telemetry",
    "span": "wf_instrument.traced",
    "start_reporting": "wf_instrument.telemetry",
    "trace": "wf_instrument.traced",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
