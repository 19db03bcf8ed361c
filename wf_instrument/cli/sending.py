"""What `wf-instrument send` does with data: hands them to reporters and keeps the account."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import QueueFullError
from wf_instrument.reporting.datum import DatumReporter
from wf_instrument.reporting.datum_snapshots import DatumSnapshots
from wf_instrument.reporting.reporter_url import make_reporter
from wf_instrument.settings import DEFAULT_REPORTER, load_settings

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from wf_instrument.cli.send_sources import Item
    from wf_instrument.reporting.reporter import Reporter
    from wf_instrument.settings import Settings

__all__ = ["Sending"]

#: Rejected lines that are shown one by one.
_MAX_SHOWN: Final = 10
#: How long a full queue is waited for before a datum counts as rejected.
_FULL_TIMEOUT_S: Final = 60.0
_CLOSE_TIMEOUT_S: Final = 1.0


@dataclass(slots=True)
class _Destination:
    url: str
    reporter: Reporter
    sink: DatumReporter
    given: int = 0
    is_flushed: bool = False
    lost: int = 0


class Sending:
    """One run of the command; a context manager that closes the reporters.

    Args:
        urls: Reporters; those of the settings when empty, else the local store.
        settings: Resolved settings; read from environment and file when None.

    Raises:
        ConfigError: A URL cannot be used.
    """

    def __init__(self, urls: tuple[str, ...], settings: Settings | None = None) -> None:
        settings = settings or load_settings()
        identity = settings.identity()
        self.accepted = 0
        self.rejected = 0
        self._shown: list[tuple[int, str]] = []
        self._reasons: Counter[str] = Counter()
        self._destinations: list[_Destination] = []
        for text in urls or settings.reporter or (DEFAULT_REPORTER,):
            url, reporter, _ = make_reporter(text, identity, settings)
            sink = (
                reporter
                if isinstance(reporter, DatumReporter)
                else DatumSnapshots(reporter, identity)
            )
            sink.wait_when_full(_FULL_TIMEOUT_S)
            self._destinations.append(_Destination(str(url), reporter, sink))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for one in self._destinations:
            one.reporter.close(_CLOSE_TIMEOUT_S)

    @property
    def is_complete(self) -> bool:
        """Whether everything was accepted and delivered."""
        return not self.rejected and all(
            one.is_flushed and not one.lost for one in self._destinations
        )

    def take(self, item: Item) -> None:
        """Give a datum to all reporters; it is accepted when all of them take it."""
        if item.datum is None:
            self._reject(item.line, item.reason)
            return
        reasons = []
        for one in self._destinations:
            try:
                one.sink.put(item.datum)
                one.given += 1
            except (ValueError, QueueFullError) as error:
                where = f" ({one.url})" if len(self._destinations) > 1 else ""
                reasons.append(f"{error}{where}")
        if reasons:
            self._reject(item.line, "; ".join(reasons))
        else:
            self.accepted += 1

    def finish(self, timeout_s: float) -> None:
        """Wait until everything is delivered, up to `timeout_s` in all."""
        deadline = time.monotonic() + timeout_s
        for one in self._destinations:
            one.is_flushed = _flush(one, deadline)
            one.lost = one.sink.lost + _dropped(one.reporter)

    def as_json(self) -> dict[str, object]:
        """Return the account."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "reasons": [
                {"reason": reason, "count": count} for reason, count in self._reasons.most_common()
            ],
            "first_rejected": [{"line": line, "reason": reason} for line, reason in self._shown],
            "reporters": [
                {"url": one.url, "given": one.given, "lost": one.lost, "flushed": one.is_flushed}
                for one in self._destinations
            ],
        }

    def as_text(self) -> str:
        """Return the account for people."""
        lines = [f"{self.accepted:,} accepted, {self.rejected:,} rejected"]
        for line, reason in self._shown:
            lines.append(f"  line {line}: {reason}" if line else f"  {reason}")
        if self.rejected > len(self._shown):
            lines.append("  ...")
            lines += [f"  {count:,} x {reason}" for reason, count in self._reasons.most_common(5)]
        for one in self._destinations:
            if not one.is_flushed:
                lines.append(f"{one.url}: not everything was delivered in time")
            if one.lost:
                lines.append(f"{one.url}: {one.lost:,} were lost, or refused by the receiver")
        return "\n".join(lines)

    def _reject(self, line: int, reason: str) -> None:
        self.rejected += 1
        # Bounded: reasons quote what they are about.
        if reason in self._reasons or len(self._reasons) < 1000:
            self._reasons[reason] += 1
        if len(self._shown) < _MAX_SHOWN:
            self._shown.append((line, reason))


def _flush(one: _Destination, deadline: float) -> bool:
    """Flush until all has left; a receiver that fails is tried again until the deadline."""
    flush = one.sink.flush if isinstance(one.sink, DatumSnapshots) else one.reporter.flush
    while True:
        rest_s = deadline - time.monotonic()
        if flush(max(rest_s, 0.0)):
            return True
        if rest_s <= 0:
            return False


def _dropped(reporter: Reporter) -> int:
    """Return what a reporter says of itself that it could not keep."""
    return int(getattr(reporter, "dropped", 0))
