"""The embedded store: SQLite in one file, written by every process, read by the dashboard."""

from wf_instrument.backends.local.paths import default_path
from wf_instrument.backends.local.reader import StoreReader
from wf_instrument.backends.local.reporter import LocalReporter, from_url

__all__ = ["LocalReporter", "StoreReader", "default_path", "from_url"]
