"""A reporter that writes the names of points and spans, one a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wf_instrument.reporting import ReporterUrl, Snapshot

__all__ = ["NameReporter", "from_url"]


class NameReporter:
    """Appends names to a file."""

    default_interval_s = 0.2

    def __init__(self, path: Path) -> None:
        self._path = path

    def report(self, snapshot: Snapshot) -> int:
        """Write the names; all are taken."""
        names = [one.name for one in (*snapshot.points, *snapshot.spans)]
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in names)
        return snapshot.data_count

    def flush(self, timeout_s: float) -> bool:
        """Nothing waits."""
        return True

    def close(self, timeout_s: float) -> None:
        """Nothing is held."""


def from_url(url: ReporterUrl, identity: object, settings: object) -> NameReporter:
    """Make it of `parcels:///path/of/the/file`."""
    return NameReporter(Path(url.path))
