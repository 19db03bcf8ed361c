"""A reporter that takes everything and keeps nothing, for measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Snapshot
    from wf_instrument.settings import Settings

__all__ = ["NullReporter", "from_url"]


class NullReporter:
    """Takes everything, keeps nothing."""

    default_interval_s = 1.0

    def report(self, snapshot: Snapshot) -> int:
        """Return how many data there were."""
        return snapshot.data_count

    def flush(self, timeout_s: float) -> bool:
        """Return True."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing."""


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> NullReporter:
    """Make the reporter of `null://`."""
    url.check_query()
    return NullReporter()
