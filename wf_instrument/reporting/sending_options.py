"""Parameters that reporter URLs of remote backends share, with the settings behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from wf_instrument.errors import ConfigError
from wf_instrument.sender.spool import DEFAULT_MAX_BYTES

if TYPE_CHECKING:
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.settings import Settings

__all__ = [
    "QUEUE_PARAMETERS",
    "SPOOL_PARAMETERS",
    "QueueOptions",
    "SpoolOptions",
    "queue_options",
    "server_of",
    "spool_options",
    "token_in_file",
]

QUEUE_PARAMETERS: Final = ("max_queue_size", "batch_size", "flush_interval")
SPOOL_PARAMETERS: Final = ("spool_dir", "spool_bytes", "ca_file")


class QueueOptions(TypedDict):
    """How much waits, and how it leaves."""

    queue_size: int
    batch_size: int
    flush_interval_s: float


class SpoolOptions(TypedDict):
    """Where an outage's data wait, and whose certificates are trusted."""

    spool_dir: str | None
    spool_bytes: int
    ca_file: str | None


def queue_options(
    url: ReporterUrl, *, batch_size: int, most: int, flush_interval_s: float
) -> QueueOptions:
    """Read `max_queue_size`, `batch_size` and `flush_interval`.

    Args:
        url: Has them or not.
        batch_size: Without the parameter.
        most: Data that one request takes.
        flush_interval_s: Without the parameter.

    Raises:
        ConfigError: One is no number, or out of bounds.
    """
    return QueueOptions(
        queue_size=int(url.number("max_queue_size", 50_000, minimum=1, maximum=10_000_000)),
        batch_size=int(url.number("batch_size", batch_size, minimum=1, maximum=most)),
        flush_interval_s=url.number("flush_interval", flush_interval_s, minimum=0.05, maximum=3600),
    )


def spool_options(url: ReporterUrl, settings: Settings) -> SpoolOptions:
    """Read `spool_dir`, `spool_bytes` and `ca_file`; the settings give what the URL does not.

    Raises:
        ConfigError: `spool_bytes` is no number, or out of bounds.
    """
    return SpoolOptions(
        spool_dir=url.query.get("spool_dir") or settings.spool_dir or None,
        spool_bytes=int(
            url.number("spool_bytes", DEFAULT_MAX_BYTES, minimum=1_000_000, maximum=1 << 50)
        ),
        ca_file=url.query.get("ca_file") or settings.ca_file or None,
    )


def token_in_file(url: ReporterUrl) -> str | None:
    """Return what the file of `token_file` holds, None when the URL names none.

    Raises:
        ConfigError: The file cannot be read.
    """
    file = url.query.get("token_file")
    if not file:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"reporter URL {url}: token_file {file!r} cannot be read") from exc


def server_of(url: ReporterUrl, scheme: str, port: int | None = None) -> str:
    """Return the server a URL names, as `scheme://host:port`; `port` when it names none."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    chosen = url.port or port
    return f"{scheme}://{host}" + ("" if chosen is None else f":{chosen}")
