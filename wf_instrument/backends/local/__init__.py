"""The embedded store: SQLite in one file, written by every process, read by the dashboard.

Its parts are loaded when first used: what writes needs none of what reads, and each worker of a
server that reports to a store loads this.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.backends.local.paths import default_path
    from wf_instrument.backends.local.reader import StoreReader
    from wf_instrument.backends.local.reporter import LocalReporter, from_url

__all__ = ["LocalReporter", "StoreReader", "default_path", "from_url"]

_HOMES: Final = {
    "LocalReporter": "wf_instrument.backends.local.reporter",
    "StoreReader": "wf_instrument.backends.local.reader",
    "default_path": "wf_instrument.backends.local.paths",
    "from_url": "wf_instrument.backends.local.reporter",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value
