"""The two plugs of the pipeline: what fills snapshots and what carries them away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Snapshot, SnapshotDraft
    from wf_instrument.settings import Settings

__all__ = ["Producer", "Reporter", "ReporterFactory"]


@runtime_checkable
class Reporter(Protocol):
    """Carries finished telemetry to one destination. All methods are thread-safe.

    Attributes:
        default_interval_s: How often the destination wants to be reported to, in seconds; the
            pipeline adds up snapshots in between. A URL's `?interval=` wins.
    """

    default_interval_s: float

    def report(self, snapshot: Snapshot) -> int:
        """Queue what `snapshot` holds, return how many data were taken; never block, never raise.

        Data are request intervals, points, distributions and spans, one each. A reporter that
        takes fewer than there are says why in a counter of its own.
        """

    def flush(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` until all that was queued so far has left; False if not."""

    def close(self, timeout_s: float) -> None:
        """Drain, then release threads and sockets. A second call does nothing."""


class Producer(Protocol):
    """Fills the draft of a snapshot with what it gathered since it was last asked."""

    def drain_into(self, draft: SnapshotDraft) -> None:
        """Move what was gathered into `draft`; called by the pipeline's thread only."""


class ReporterFactory(Protocol):
    """What an entry point of the group `wf_instrument.reporters` names: URL to reporter."""

    def __call__(self, url: ReporterUrl, identity: Identity, settings: Settings) -> Reporter:
        """Return the reporter, having checked all that can be checked without the network.

        Raises:
            ConfigError: The URL lacks something or has something that cannot be.
        """
