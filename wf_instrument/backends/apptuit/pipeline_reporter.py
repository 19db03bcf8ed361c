"""The Apptuit reporter of the pipeline, and its URL: everything recorded becomes points.

Threads: the pipeline's thread, or that of a flush, one at a time under `_lock`; the sender's
    worker posts.
Locks: `_lock` guards the totals; the sender's buffers have their own.
Fork: the child starts with no totals.
Loss: a row that the sender's full buffer refuses is counted in `refused`, a point that Apptuit
    calls bad in `rejected`. A total says it all the next time. Spans are not sent: there are none
    in Apptuit.
"""

from __future__ import annotations

import logging
import os
import threading
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.apptuit.client import DEFAULT_ENDPOINT
from wf_instrument.backends.apptuit.environment import APPTUIT_PY_TOKEN, token_from_environment
from wf_instrument.backends.apptuit.exceptions import ApptuitDataError
from wf_instrument.backends.apptuit.names import sanitizer_of
from wf_instrument.backends.apptuit.posting import (
    MAX_POINTS,
    PUT_PATH,
    partial_failure,
    put_headers,
)
from wf_instrument.backends.apptuit.request_points import SnapshotPoints
from wf_instrument.backends.apptuit.rows import RowMaker
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.reporting.sending_options import (
    QUEUE_PARAMETERS,
    SPOOL_PARAMETERS,
    queue_options,
    server_of,
    spool_options,
    token_in_file,
)
from wf_instrument.sender.batch_sender import BatchSender
from wf_instrument.sender.http_client import HttpClient
from wf_instrument.sender.limits import SenderLimits
from wf_instrument.sender.spool import DEFAULT_MAX_BYTES, Spool, destination_name

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter_url import ReporterUrl
    from wf_instrument.reporting.snapshot import Snapshot
    from wf_instrument.sender.batch import Batch
    from wf_instrument.settings import Settings

__all__ = ["ApptuitPipelineReporter", "from_url"]

log = logging.getLogger(__name__)

_KIND: Final = "points"
_REQUEST_TIMEOUT_S: Final = 60.0
_PARAMETERS: Final = (
    *QUEUE_PARAMETERS, *SPOOL_PARAMETERS, "endpoint", "prefix", "sanitize_mode",
    "allow_insecure", "token_file",
)  # fmt: skip


class ApptuitPipelineReporter:
    """Reports telemetry of requests and WebSockets, and registries, as points.

    Args:
        http: Where they are posted.
        rows: Makes rows of them.
        identity: Whose tags they carry.
        prefix: Put in front of every name.
        limits: How much waits, and how long.
        spool_dir: Folder for batches that cannot be delivered; without one they wait in memory.
        spool_bytes: How large it may become.

    Attributes:
        sender: Queues and delivers.
        refused: How many points the sender's full buffer refused.
        rejected: How many points Apptuit called bad.
        skipped: How many points could not be written: no finite number, or a bad name.
    """

    default_interval_s = 10.0

    def __init__(
        self,
        http: HttpClient,
        rows: RowMaker,
        identity: Identity,
        *,
        prefix: str = "",
        limits: SenderLimits | None = None,
        spool_dir: str | Path | None = None,
        spool_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self.refused = 0
        self.rejected = 0
        self.skipped = 0
        self._http = http
        self._rows = rows
        self._identity = identity
        self._prefix = prefix
        self._log = RateLimitedLog(log)
        self.sender = BatchSender(
            "apptuit",
            [_KIND],
            self._deliver,
            limits,
            spool=None
            if spool_dir is None
            else partial(
                Spool, Path(spool_dir), destination_name(http.server), max_bytes=spool_bytes
            ),
        )
        self.sender.leave_exit_to_owner()
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._slot = self._identity.worker_slot
        self._points = SnapshotPoints(self._identity)

    def report(self, snapshot: Snapshot) -> int:
        """Queue what the snapshot holds; none of its data counts as taken if a point is refused."""
        refused_before = self.refused
        with self._lock:
            identity = self._identity.in_slot_of(snapshot.identity)
            if identity.worker_slot != self._slot:
                self._slot = identity.worker_slot
                self._points = SnapshotPoints(identity)
            for name, tags, at_s, value in self._points.of(snapshot):
                try:
                    row = self._rows.series(f"{self._prefix}{name}", tags).at(at_s, value)
                except ApptuitDataError as error:
                    # A name or tag of the application's that is no good.
                    caught("apptuit.point", error)
                    row = None
                if row is None:
                    self.skipped += 1
                elif not self.sender.put(_KIND, f"{row},"):
                    self.refused += 1
        return 0 if self.refused > refused_before else snapshot.data_count

    @property
    def lost(self) -> int:
        """How many points were taken and then dropped, or called bad by Apptuit."""
        counts = self.sender.counts[_KIND]
        return counts.dropped - counts.refused + counts.rejected + self.rejected

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that is queued has left; False if it does not in time."""
        return self.sender.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Deliver what waits within `timeout_s` and stop; a second call does nothing."""
        self.sender.close(timeout_s)
        self._http.close()

    def _deliver(self, kind: str, batch: Batch, timeout_s: float | None) -> None:
        limit_s = _REQUEST_TIMEOUT_S if timeout_s is None else min(timeout_s, _REQUEST_TIMEOUT_S)
        # Each datum ends in a comma; the last one has none behind it.
        body = zlib.compress(b"[%b]" % batch.body.removesuffix(b","))
        answer = self._http.call("POST", PUT_PATH, put_headers(), limit_s, body=body)
        if 200 <= answer.status < 300:
            return
        partial_answer = partial_failure(answer)
        if partial_answer is not None and partial_answer.success + partial_answer.failed == len(
            batch
        ):
            # The good ones were taken; sending the batch again in parts would write them twice.
            self.rejected += partial_answer.failed
            self._log.warning("rejected", "Apptuit refused %d points so far", self.rejected)
            return
        raise SendError(
            f"{self._http.server} answered {answer.status}",
            status=answer.status,
            retry_after_s=answer.retry_after_s,
        )


def from_url(url: ReporterUrl, identity: Identity, settings: Settings) -> ApptuitPipelineReporter:
    """Make the reporter of `apptuit://TOKEN@`, or `apptuit://TOKEN@HOST` for another host.

    Parameters: `endpoint` for another address, `prefix`, `sanitize_mode`, `token_file`,
    `max_queue_size`, `batch_size`, `flush_interval` in seconds, `spool_dir`, `spool_bytes`,
    `ca_file`, `allow_insecure`. The variables `WF_TOKEN` and `APPTUIT_API_TOKEN` give a token too.
    """
    url.check_query(*_PARAMETERS)
    endpoint = url.query.get("endpoint") or _endpoint(url)
    sanitizer = sanitizer_of(url.query.get("sanitize_mode", "prometheus"))
    queue = queue_options(url, batch_size=10_000, most=MAX_POINTS, flush_interval_s=5)
    queue["batch_size"] = min(queue["batch_size"], queue["queue_size"])
    spool = spool_options(url, settings)
    return ApptuitPipelineReporter(
        HttpClient(
            endpoint,
            _token(url),
            ca_file=spool["ca_file"],
            allow_insecure=url.flag("allow_insecure"),
        ),
        RowMaker(sanitizer),
        identity,
        prefix=url.query.get("prefix", ""),
        limits=SenderLimits(**queue),
        spool_dir=spool["spool_dir"],
        spool_bytes=spool["spool_bytes"],
    )


def _endpoint(url: ReporterUrl) -> str:
    return server_of(url, "https") if url.host else DEFAULT_ENDPOINT


def _token(url: ReporterUrl) -> str:
    token = token_in_file(url)
    if token is None:
        token = url.user or os.environ.get("WF_TOKEN", "") or token_from_environment()
    if not token:
        raise ConfigError(
            f"reporter URL {url} has no token; write apptuit://TOKEN@, or give ?token_file=, "
            f"or set WF_TOKEN or {APPTUIT_PY_TOKEN}"
        )
    return token
