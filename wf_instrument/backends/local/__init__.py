"""The embedded store: SQLite in one file, written by every process, read by the dashboard.

Its parts are loaded when first used: what writes needs none of what reads, and each worker of a
server that reports to a store loads this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.late_names import late_names

if TYPE_CHECKING:
    from wf_instrument.backends.local.paths import default_path
    from wf_instrument.backends.local.reader import StoreReader
    from wf_instrument.backends.local.reporter import LocalReporter, from_url

__all__ = ["LocalReporter", "StoreReader", "default_path", "from_url"]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "LocalReporter": "reporter",
        "StoreReader": "reader",
        "default_path": "paths",
        "from_url": "reporter",
    },
)
