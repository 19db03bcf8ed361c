"""HTTP to one receiver: keep-alive, time-outs, errors translated in one place.

Threads: urllib3's pool is safe to share; a sender uses it from its worker, and from the caller's
    thread for data that are sent at once.
Fork: sockets are not shared with the child, which makes a pool of its own.
"""

from __future__ import annotations

import gzip
import http.client
import ipaddress
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from wf_instrument.errors import ConfigError, SendError
from wf_instrument.forking import reset_after_fork

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

__all__ = ["HttpTransport", "is_loopback"]

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 15.0
#: A time-out of 0 means none to sockets.
_SHORTEST_TIMEOUT_S: Final = 0.01
#: Level 6 takes a third of the time of 9 for a few per cent more bytes.
_GZIP_LEVEL: Final = 6
#: What is read of an answer, for its connection to be used again.
_MAX_ANSWER_BYTES: Final = 65_536


class HttpTransport:
    """Posts bodies to one server. Neither `repr` nor any error shows the token.

    Args:
        server: `http://host:port` or `https://host:port`.
        token: Sent as `Authorization: Bearer`, None sends none.

    Raises:
        ConfigError: `server` is no such URL, or holds a user; the token cannot stand in a header,
            or would go over plain HTTP to another machine.
    """

    def __init__(self, server: str, token: str | None = None) -> None:
        host, is_encrypted = _checked(server)
        if token is not None and not _fits_a_header(token):
            raise ConfigError(
                f"the token for {host!r} holds white space or characters beyond ASCII; "
                "give it as the service shows it"
            )
        if token and not is_encrypted and not is_loopback(host):
            raise ConfigError(f"a token for {host!r} would travel over plain http; use https")
        self.server = server.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._reset()
        reset_after_fork(self._reset)

    def __repr__(self) -> str:
        return f"HttpTransport({self.server!r})"

    def _reset(self) -> None:
        # Imported when the first sender is made: formatting lines alone needs no HTTP.
        import urllib3

        self._pool = urllib3.PoolManager(maxsize=2, retries=False)

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float | None = None,
        *,
        compress: bool = True,
    ) -> int:
        """Post a body and return the status, which is below 300.

        Args:
            path: Path and query, after the server.
            body: The content.
            headers: Besides those of the transport.
            timeout_s: Cuts the usual time-outs short.
            compress: Whether the body goes gzipped.

        Raises:
            SendError: No answer, or one of status 300 and up; redirects are not followed, since a
                token must not go where the receiver points.
        """
        sent = {**self._headers, **headers}
        if compress:
            sent["Content-Encoding"] = "gzip"
            body = gzip.compress(body, _GZIP_LEVEL)
        answer = self._request(path, body, sent, timeout_s)
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

    def _request(
        self, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float | None
    ) -> urllib3.BaseHTTPResponse:
        from urllib3 import exceptions

        # ValueError: http.client refuses a host name or header in so many ways.
        failures = (exceptions.HTTPError, OSError, http.client.HTTPException, ValueError)
        try:
            answer = self._pool.request(
                "POST",
                self.server + path,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=_timeout(timeout_s),
            )
        except failures as exc:
            raise SendError(f"no answer from {self.server}: {type(exc).__name__}") from exc
        try:
            answer.read(_MAX_ANSWER_BYTES)
        except failures:
            # The status is known, which is all that counts; only the connection is of no more use.
            answer.close()
        answer.release_conn()
        return answer


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:  # a name, such as 127.example.com
        return False


def _checked(server: str) -> tuple[str, bool]:
    """Return the host of a server's URL and whether it is https."""
    shown = server.rpartition("@")[2]  # a user would be a token
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigError(f"server {shown!r} is no URL; give http(s)://HOST:PORT") from exc
    if parts.scheme not in {"http", "https"} or not host or not _fits_a_header(host):
        raise ConfigError(f"server {shown!r} is no URL; give http(s)://HOST:PORT")
    if parts.username is not None:
        raise ConfigError(f"server {shown!r} was given with a user; give the token apart from it")
    return host, parts.scheme == "https"


def _fits_a_header(text: str) -> bool:
    return all("!" <= char <= "~" for char in text)


def _timeout(timeout_s: float | None) -> urllib3.Timeout:
    import urllib3

    limit_s = READ_TIMEOUT_S if timeout_s is None else max(timeout_s, _SHORTEST_TIMEOUT_S)
    return urllib3.Timeout(
        connect=min(CONNECT_TIMEOUT_S, limit_s), read=min(READ_TIMEOUT_S, limit_s), total=limit_s
    )


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After`, given as a number or a date; None for neither."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None
