"""What a program is told that reaches for a name of a legacy package which ours lacks.

`from package import Name` swallows the message of an `AttributeError`, and `hasattr` lets an
`ImportError` through. So a module looks at who asks.

Threads: any; nothing is kept.
"""

from __future__ import annotations

import difflib
import dis
import pkgutil
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType, ModuleType

__all__ = ["absent_module", "answer_absent_names", "forget"]

#: What has taken the place of names that are gone, the longest beginning that fits first.
_INSTEAD: Final = {
    "apptuit.utils": "tags and names are checked by the client when points are sent",
    "apptuit": "see docs/migration-apptuit.md",
    "librato": "see docs/migration-librato.md",
    "signalfx": "see docs/migration-signalfx.md",
    "wavefront_flask_sdk": "see docs/migration-wavefront-flask-sdk.md; "
    "wf_instrument.integrations.flask instruments applications",
    "wavefront_opentracing_sdk": "see docs/migration-wavefront-opentracing-sdk.md; "
    "wf_instrument.tracing has the tracer, spans, samplers and propagators",
    "wavefront_pyformance": "see docs/migration-wavefront-pyformance.md; "
    "wf_instrument.metrics has registries, delta counters and histograms",
    "wavefront_sdk": "see docs/migration-wavefront-sdk.md; "
    "wf_instrument.backends.wavefront has the clients and the functions that make lines",
}
_HOOK: Final = "__getattr__"


class _AbsentNames:
    """The `__getattr__` of a module of ours under its legacy name."""

    def __init__(self, own: ModuleType, legacy_name: str) -> None:
        self._own = own
        self._legacy_name = legacy_name

    def __call__(self, name: str) -> object:
        if name.startswith("__"):  # what Python itself asks for
            raise AttributeError(f"module {self._legacy_name!r} has no attribute {name!r}")
        has = sorted(getattr(self._own, "__all__", ()))
        text = _text(f"{self._legacy_name}.{name}", self._legacy_name, name, has)
        if _is_from_import(sys._getframe(1)):  # noqa: SLF001 - the only way to tell
            raise ImportError(text, name=self._legacy_name)
        raise AttributeError(text, name=name, obj=self._own)


def answer_absent_names(own: ModuleType, legacy_name: str) -> None:
    """Have a module of ours tell more of names that it lacks."""
    if _HOOK not in vars(own):
        setattr(own, _HOOK, _AbsentNames(own, legacy_name))


def forget(own: ModuleType) -> None:
    """Undo `answer_absent_names`."""
    if isinstance(vars(own).get(_HOOK), _AbsentNames):
        delattr(own, _HOOK)


def absent_module(legacy_name: str, own_name: str) -> ModuleNotFoundError:
    """Return the error for a module of a legacy package that ours lacks."""
    parent, _, name = legacy_name.rpartition(".")
    own_parent = sys.modules.get(own_name.rpartition(".")[0])
    paths = getattr(own_parent, "__path__", ())
    has = sorted(module.name for module in pkgutil.iter_modules(paths))
    return ModuleNotFoundError(_text(legacy_name, parent, name, has), name=legacy_name)


def _text(full_name: str, parent: str, name: str, has: list[str]) -> str:
    near = difflib.get_close_matches(name, has, n=3, cutoff=0.6)
    there = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(has) or 'none'}"
    return (
        f"wf_instrument stands in for {parent.partition('.')[0]!r} and has no {full_name!r}: "
        f"in {parent!r} {there}; {_instead(full_name)}"
    )


def _instead(full_name: str) -> str:
    while full_name not in _INSTEAD:
        full_name, dot, _ = full_name.rpartition(".")
        if not dot:
            return "see the documentation of wf_instrument.compat"
    return _INSTEAD[full_name]


def _is_from_import(frame: FrameType) -> bool:
    """Return whether a frame is at a `from ... import`, which asks for a name."""
    operation = frame.f_code.co_code[frame.f_lasti] if frame.f_lasti >= 0 else -1
    return operation == dis.opmap["IMPORT_FROM"]
