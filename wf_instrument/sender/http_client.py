"""Calls whose answer is read: what the API client of a backend is made of.

Threads: any; urllib3's pool is safe to share.
Fork: as for the transport, the child makes a pool of its own.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import SendError
from wf_instrument.sender.http_pool import describe_failure
from wf_instrument.sender.transport import (
    CONNECT_TIMEOUT_S,
    HttpTransport,
    request_timeout,
    retry_after_seconds,
)
from wf_instrument.suppression import suppressed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

__all__ = ["HttpAnswer", "HttpClient", "NoAnswerError"]

#: A query's result is large; what is larger than this answers no question of ours.
_MAX_ANSWER_BYTES: Final = 256_000_000
_PIECE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the receiver said, whatever its status.

    Attributes:
        status: HTTP status.
        headers: By name in lower case; of a repeated one, the last.
        body: The content, uncompressed.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def retry_after_s(self) -> float | None:
        """The seconds of `Retry-After`, None without one."""
        return retry_after_seconds(self.headers.get("retry-after"))


class NoAnswerError(SendError):
    """No answer came, or none that is whole.

    Attributes:
        is_tls: Whether encryption could not be agreed on, which trying again does not change.
        is_unsent: Whether no connection came about: the receiver saw nothing of the request.
    """

    def __init__(
        self,
        message: str,
        *,
        is_tls: bool = False,
        is_unsent: bool = False,
        cause: str = "",
    ) -> None:
        super().__init__(message, cause=cause)
        self.is_tls = is_tls
        self.is_unsent = is_unsent


class HttpClient(HttpTransport):
    """As the transport, for answers that are read. Arguments and errors are the same."""

    def call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        timeout_s: float,
        *,
        body: bytes | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> HttpAnswer:
        """Make one request, with the token if there is one, and return the answer.

        Redirects are not followed: a token must not go where the receiver points.

        Args:
            method: The HTTP method.
            path: Path and query, after the server.
            headers: Besides those of the transport.
            timeout_s: For all of it, the answer's last byte included.
            body: What is sent, as it is.
            connect_timeout_s: Of that, for the connection.

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
                    timeout=request_timeout(timeout_s, connect_timeout_s),
                )
            content = self._content(answer, deadline)
        # ValueError: http.client refuses a host name or header in so many ways.
        except (exceptions.HTTPError, OSError, http.client.HTTPException, ValueError) as exc:
            # Not `from exc`, whose text may hold what was sent.
            raise NoAnswerError(
                f"no answer from {self.server}: {describe_failure(exc)}",
                is_tls=isinstance(getattr(exc, "original_error", exc), exceptions.SSLError),
                # A name that does not resolve is the first of these too.
                is_unsent=isinstance(
                    exc, (exceptions.NewConnectionError, exceptions.ConnectTimeoutError)
                ),
                cause=type(exc).__name__,
            ) from None
        named = {name.lower(): value for name, value in answer.headers.items()}
        return HttpAnswer(int(answer.status), named, content)

    def _content(self, answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        content = bytearray()
        for piece in answer.stream(_PIECE_BYTES):
            content += piece
            if len(content) > _MAX_ANSWER_BYTES:
                answer.close()
                raise NoAnswerError(f"{self.server} answered more than {_MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline:
                answer.close()
                raise NoAnswerError(f"the answer of {self.server} takes too long")
        answer.release_conn()
        return bytes(content)
