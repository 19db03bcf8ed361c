"""`signalfx`: the clients of SignalFx.

Its submodules are loaded when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import Final

from wf_instrument.backends.signalfx.constants import (
    DEFAULT_API_ENDPOINT,
    DEFAULT_INGEST_ENDPOINT,
    DEFAULT_STREAM_ENDPOINT,
    DEFAULT_TIMEOUT,
)
from wf_instrument.backends.signalfx.entry import SignalFx
from wf_instrument.compat.signalfx import constants, version
from wf_instrument.compat.signalfx.version import version as __version__

__all__ = [
    "DEFAULT_API_ENDPOINT",
    "DEFAULT_INGEST_ENDPOINT",
    "DEFAULT_STREAM_ENDPOINT",
    "DEFAULT_TIMEOUT",
    "SignalFx",
    "__version__",
    "constants",
    "version",
]

#: Reachable once a client was made, without an import: programs rely on it.
_LAZY: Final = frozenset({"ingest", "rest", "signalflow"})


def __getattr__(name: str) -> object:
    """Load a submodule."""
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
