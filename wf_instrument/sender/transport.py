"""HTTP to one receiver: keep-alive, time-outs, errors translated in one place.

Threads: urllib3's pool is safe to share; each sender uses one from its worker.
Fork: sockets are not shared with the child, which makes a pool of its own.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final

import urllib3

from wf_instrument.errors import ConfigError, SendError
from wf_instrument.forking import reset_after_fork

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HttpTransport", "is_loopback"]

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 15.0
#: Level 6 takes a third of the time of 9 for a few per cent more bytes.
_GZIP_LEVEL: Final = 6
#: What is read of an answer, for its connection to be used again.
_MAX_ANSWER_BYTES: Final = 65_536


class HttpTransport:
    """Posts bodies to one server.

    Args:
        server: `http://host:port` or `https://host:port`.
        token: Sent as `Authorization: Bearer`, None sends none.

    Raises:
        ConfigError: A token would go over plain HTTP to another machine.
    """

    def __init__(self, server: str, token: str | None = None) -> None:
        url = urllib3.util.parse_url(server)
        if token and url.scheme != "https" and not is_loopback(url.host or ""):
            raise ConfigError(f"a token for {url.host!r} would travel over plain http; use https")
        self.server = server.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._reset()
        reset_after_fork(self._reset)

    def __repr__(self) -> str:
        return f"HttpTransport({self.server!r})"

    def _reset(self) -> None:
        self._pool = urllib3.PoolManager(
            maxsize=2,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        )

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body, compressed, and return the status, which is below 300.

        Raises:
            SendError: No answer, or one of status 300 and up; redirects are not followed, since a
                token must not go where the receiver points.
        """
        try:
            answer = self._pool.request(
                "POST",
                self.server + path,
                body=gzip.compress(body, _GZIP_LEVEL),
                headers={**self._headers, **headers, "Content-Encoding": "gzip"},
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise SendError(f"no answer from {self.server}: {type(exc).__name__}") from exc
        try:
            answer.read(_MAX_ANSWER_BYTES)
        except (urllib3.exceptions.HTTPError, OSError):
            answer.close()
        answer.release_conn()
        if answer.status >= 300:
            raise SendError(
                f"{self.server} answered {answer.status}",
                status=answer.status,
                retry_after_s=_seconds(answer.headers.get("Retry-After")),
            )
        return int(answer.status)

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback."""
    bare = host.strip("[]").lower()
    return bare in {"localhost", "::1"} or bare.startswith("127.")


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After`, None for a date or nothing."""
    return float(header) if header is not None and header.strip().isdecimal() else None
