"""Requests whose answers are read: what the API client of a backend is made of.

Threads: any; see `HttpTransport`.
Fork: the child makes connections of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import SendError
from wf_instrument.sender.http_pool import describe_failure
from wf_instrument.sender.transport import HttpTransport, retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HttpCaller", "NotSentError", "Reply"]

#: A page of measurements is large; what is larger than this is no answer to any question of ours.
_MAX_REPLY_BYTES: Final = 64_000_000
_SHORTEST_TIMEOUT_S: Final = 0.01


class NotSentError(SendError):
    """No connection came about: the receiver has seen nothing of the request."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status.

    Attributes:
        status: The HTTP status.
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


class HttpCaller(HttpTransport):
    """Makes any request to one server and returns the answer; follows no redirect."""

    def call(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Reply:
        """Make one request.

        Args:
            method: `GET`, for example.
            target: Path and query, ready to be sent.
            body: The content, or None.
            headers: All there are.
            timeout_s: For all of it.

        Raises:
            NotSentError: No connection came about in time.
            SendError: No answer, or one that is too large.
        """
        import urllib3

        limit_s = max(timeout_s, _SHORTEST_TIMEOUT_S)
        with self._translated():
            try:
                answer = self._pool.request(
                    method,
                    self.server + target,
                    body=body,
                    headers=headers,
                    redirect=False,
                    preload_content=False,
                    timeout=urllib3.Timeout(connect=limit_s, read=limit_s, total=limit_s),
                )
            except (
                urllib3.exceptions.NewConnectionError,  # also of a name that does not resolve
                urllib3.exceptions.ConnectTimeoutError,
            ) as exc:
                raise NotSentError(
                    f"no connection to {self.server}: {describe_failure(exc)}"
                ) from None
            content = answer.read(_MAX_REPLY_BYTES + 1)
            if len(content) > _MAX_REPLY_BYTES:
                answer.close()
                raise SendError(f"{self.server} answered more than {_MAX_REPLY_BYTES} bytes")
            answer.release_conn()
        named = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(int(answer.status), named, content)
