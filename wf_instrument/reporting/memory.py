"""The memory reporter: keeps the newest snapshots, for looking at and for tests."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Snapshot
    from wf_instrument.settings import Settings

__all__ = ["MemoryReporter", "from_url"]


class MemoryReporter:
    """Keeps the newest snapshots.

    Args:
        max_snapshots: How many; older ones are forgotten.

    Attributes:
        snapshots: The snapshots, the oldest first.
    """

    default_interval_s = 1.0

    def __init__(self, max_snapshots: int = 600) -> None:
        self.snapshots: deque[Snapshot] = deque(maxlen=max_snapshots)

    def report(self, snapshot: Snapshot) -> int:
        """Keep the snapshot."""
        self.snapshots.append(snapshot)
        return snapshot.data_count

    def flush(self, timeout_s: float) -> bool:
        """Return True."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing; what is kept stays."""


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> MemoryReporter:
    """Make the reporter of `memory://`; parameter `max_snapshots`."""
    url.check_query("max_snapshots")
    return MemoryReporter(int(url.number("max_snapshots", 600, minimum=1, maximum=1_000_000)))
