"""Calls whose answer is read: a query's result, or what the receiver says of single data.

Threads: any; urllib3's pool is safe to share.
Fork: as for the transport, the child makes a pool of its own.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from wf_instrument.errors import SendError
from wf_instrument.sender.http_pool import describe_failure
from wf_instrument.sender.transport import HttpTransport, request_timeout, retry_after_seconds
from wf_instrument.suppression import suppressed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HttpAnswer", "HttpClient", "NoAnswerError"]

#: What an answer may be long unless the caller says otherwise.
_MAX_ANSWER_BYTES: Final = 256_000_000
_PIECE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the receiver said.

    Attributes:
        status: HTTP status.
        body: As it came.
        retry_after_s: Seconds the receiver asked us to wait, or None.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None


class NoAnswerError(SendError):
    """No answer came, or none that is whole.

    Attributes:
        is_tls: Whether encryption could not be agreed on, which trying again does not change.
    """

    def __init__(self, message: str, *, is_tls: bool = False) -> None:
        super().__init__(message)
        self.is_tls = is_tls


class HttpClient(HttpTransport):
    """As the transport, for answers that are read. Arguments and errors are the same."""

    def call(
        self,
        method: Literal["GET", "POST"],
        path: str,
        headers: Mapping[str, str],
        timeout_s: float,
        *,
        body: bytes | None = None,
    ) -> HttpAnswer:
        """Make one request with the token, and return the answer whatever its status.

        Redirects are not followed: a token must not go where the receiver points.

        Args:
            method: The HTTP method.
            path: Path and query, after the server.
            headers: Besides those of the transport.
            timeout_s: For all of it, the answer's last byte included.
            body: What is sent, as it is.

        Raises:
            NoAnswerError: There was none.
        """
        from urllib3 import exceptions

        deadline = time.monotonic() + timeout_s
        sent = dict(headers)
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token.token(timeout_s)}"
        try:
            # An integration of urllib3 would record what it makes us send.
            with suppressed():
                answer = self._pool.request(
                    method,
                    self.server + path,
                    body=body,
                    headers=sent,
                    redirect=False,
                    preload_content=False,
                    timeout=request_timeout(timeout_s),
                )
            content = bytearray()
            for piece in answer.stream(_PIECE_BYTES):
                content += piece
                if len(content) > _MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    answer.close()
                    raise NoAnswerError(f"the answer of {self.server} takes too long, or no end")
            answer.release_conn()
        # ValueError: http.client refuses a host name or header in so many ways.
        except (exceptions.HTTPError, OSError, http.client.HTTPException, ValueError) as exc:
            # Not `from exc`, whose text may hold what was sent.
            raise NoAnswerError(
                f"no answer from {self.server}: {describe_failure(exc)}",
                is_tls=isinstance(exc, exceptions.SSLError),
            ) from None
        return HttpAnswer(
            int(answer.status),
            bytes(content),
            retry_after_seconds(answer.headers.get("Retry-After")),
        )
