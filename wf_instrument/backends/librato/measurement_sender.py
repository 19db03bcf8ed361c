"""Tagged measurements on the sender core: queued, sent in chunks, tried again until they are taken.

Threads: any puts; the sender's worker posts.
Fork: the child starts with an empty queue and connections of its own.
Loss: see `BatchSender`: a full queue refuses the newest, a measurement that the service calls bad
    is dropped; both are counted. All others keep their place, or go to the spool.
"""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from wf_instrument._version import __version__
from wf_instrument.errors import ConfigError
from wf_instrument.sender import BatchSender, HttpTransport, SenderLimits, Spool
from wf_instrument.sender.spool import DEFAULT_MAX_BYTES, destination_name
from wf_instrument.sender.transport import is_loopback

if TYPE_CHECKING:
    from wf_instrument.sender.batch import Batch

__all__ = ["DEFAULT_ENDPOINT", "KIND", "MOST_PER_POST", "MeasurementSender"]

DEFAULT_ENDPOINT: Final = "https://metrics-api.librato.com/v1/"
KIND: Final = "measurements"
#: Source: Librato API reference, "Measurement restrictions": under 1000 in one request.
MOST_PER_POST: Final = 999
_HEAD, _TAIL = b'{"measurements":[', b"]}"


class MeasurementSender:
    """Sends measurements, each a JSON text. Neither `repr` nor an error shows the token.

    Args:
        user: The user's e-mail address.
        token: The token.
        endpoint: URL of the API, its path included.
        batch_size: Measurements of one request at most.
        queue_size: Measurements that may wait.
        flush_interval_s: Seconds between two deliveries.
        allow_insecure: Whether the token may travel over plain HTTP to another machine.
        ca_file: Certificates to trust, in place of the system's.
        spool_dir: Folder for what cannot be delivered; without one it waits in memory.
        spool_bytes: How large the spool may become.

    Attributes:
        sender: Queues and delivers; its counts say what became of measurements.

    Raises:
        ConfigError: An argument cannot be used.
    """

    def __init__(
        self,
        user: str,
        token: str,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        batch_size: int = 500,
        queue_size: int = 50_000,
        flush_interval_s: float = 5.0,
        allow_insecure: bool = False,
        ca_file: str | None = None,
        spool_dir: str | Path | None = None,
        spool_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        if not user.isascii() or not token.isascii() or ":" in user:
            raise ConfigError("user or token of Librato hold characters they cannot")
        parts = urlsplit(endpoint)
        server = f"{parts.scheme}://{parts.netloc}"
        self._path = f"{parts.path.rstrip('/')}/{KIND}"
        self._transport = HttpTransport(server, ca_file=ca_file)
        if not (
            self._transport.is_encrypted or allow_insecure or is_loopback(self._transport.host)
        ):
            raise ConfigError(
                f"the token for {self._transport.host!r} would travel over plain http; use https, "
                "or allow_insecure if the way there is safe"
            )
        credentials = base64.b64encode(f"{user}:{token}".encode("ascii")).decode("ascii")
        self._headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/json",
            "User-Agent": f"wf-instrument/{__version__}",
        }
        limits = SenderLimits(
            queue_size=queue_size, batch_size=batch_size, flush_interval_s=flush_interval_s
        )
        spool = (
            None
            if spool_dir is None
            else partial(Spool, Path(spool_dir), destination_name(server), max_bytes=spool_bytes)
        )
        name = f"librato {self._transport.host}"
        self.sender = BatchSender(name, [KIND], self._deliver, limits, spool=spool)

    def __repr__(self) -> str:
        return f"MeasurementSender({self._transport.server!r})"

    @property
    def lost(self) -> int:
        """How many measurements were taken and then dropped, or called bad by the service."""
        counts = self.sender.counts[KIND]
        return counts.dropped - counts.refused + counts.rejected

    def put(self, text: str) -> bool:
        """Queue one measurement; False when the queue is full or closed."""
        return self.sender.put(KIND, text)

    def flush(self, timeout_s: float) -> bool:
        """Deliver what is queued; False when it did not all leave in time."""
        return self.sender.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush, then release thread and connections."""
        self.sender.close(timeout_s)
        self._transport.close()

    def _deliver(self, kind: str, batch: Batch, timeout_s: float | None) -> None:
        body = _HEAD + ",".join(batch.texts()).encode("utf-8") + _TAIL
        self._transport.post(self._path, [body], self._headers, timeout_s, compress=False)
