"""Posting batches of data points, and what each answer means for them.

Threads: the sender's worker, or a caller of `stop` where no worker can start.
Loss: a batch of counters that may have arrived is not sent again, since the service would count it
    twice; it is dropped, counted and told. So is a batch that the service refuses for good.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.signalfx.json_bytes import datapoint_body
from wf_instrument.backends.signalfx.request_errors import error_name, is_unsent
from wf_instrument.errors import SendError
from wf_instrument.guard import RateLimitedLog, guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wf_instrument.sender.batch import Batch
    from wf_instrument.sender.transport import HttpTransport

__all__ = ["COUNTERS", "POINTS", "PointDelivery"]

log = logging.getLogger(__name__)

#: Kinds of the sender: what may be sent twice, and what may not.
POINTS: Final = "points"
COUNTERS: Final = "counters"
#: Refusals that may pass (408, 429), that a token mends (401, 403) or a smaller batch (400, 413).
#: Source: RFC 9110.
_PASSING: Final = frozenset({400, 401, 403, 408, 413, 429})


class PointDelivery:
    """Posts batches to `/v2/datapoint`.

    Args:
        transport: To the service.
        headers: Of every request, the token's included.
        is_json: Whether points are JSON.
        compress: Whether bodies go gzipped.
        timeout_s: For a request.
        on_error: Called with the `SendError` of every request that failed.

    Attributes:
        errors: Requests that failed, by name of the failure, since somebody last reset it.
    """

    path = "/v2/datapoint"

    def __init__(
        self,
        transport: HttpTransport,
        headers: Mapping[str, str],
        *,
        is_json: bool,
        compress: bool,
        timeout_s: float,
        on_error: Callable[[SendError], None] | None,
    ) -> None:
        self.errors: Counter[str] = Counter()
        self._transport = transport
        self._headers = headers
        self._is_json = is_json
        self._compress = compress
        self._timeout_s = timeout_s
        self._on_error = on_error
        self._log = RateLimitedLog(log)

    def __call__(self, kind: str, batch: Batch, timeout_s: float | None) -> None:
        """Post a batch.

        Raises:
            SendError: It was not taken, or no answer says that it was.
        """
        pieces = [datapoint_body(batch.texts())] if self._is_json else batch.pieces
        limit_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        try:
            self._transport.post(self.path, pieces, self._headers, limit_s, compress=self._compress)
        except SendError as error:
            self._note(kind, error)
            raise

    def _note(self, kind: str, error: SendError) -> None:
        name = error_name(error)
        self.errors[name] += 1
        if error.status is None:
            error.is_final = kind == COUNTERS and not is_unsent(error)
        else:
            error.is_final = 400 <= error.status < 500 and error.status not in _PASSING
            self._log.warning(name, "SignalFx answered %d: %s", error.status, error.answer)
        if self._on_error is not None:
            with guard("signalfx.on_error"):
                self._on_error(error)
