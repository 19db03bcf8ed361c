"""HTTP to one receiver: keep-alive, time-outs, credentials, errors translated in one place.

Threads: urllib3's pool is safe to share; a sender uses it from its worker, and from the caller's
    thread for data that are sent at once.
Fork: sockets are not shared with the child, which makes a pool of its own.
"""

from __future__ import annotations

import http.client
import ipaddress
import time
import zlib
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from wf_instrument.errors import ConfigError, SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.sender.http_pool import describe_failure, make_pool, proxy_for, tls_context
from wf_instrument.suppression import suppressed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import urllib3

__all__ = [
    "CONNECT_TIMEOUT_S",
    "HttpTransport",
    "TokenSource",
    "fits_a_header",
    "is_loopback",
    "request_timeout",
    "retry_after_seconds",
]

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 15.0
#: A time-out of 0 means none to sockets.
_SHORTEST_TIMEOUT_S: Final = 0.01
#: Level 1 takes a quarter of the time of 6, for a tenth more bytes of distributions and spans.
_GZIP_LEVEL: Final = 1
#: `zlib`'s name for the gzip format. Source: zlib manual, `deflateInit2`.
_GZIP_WINDOW: Final = 31
#: What is read of an answer, for its connection to be used again.
_MAX_ANSWER_BYTES: Final = 65_536
#: Of an answer that is read.
_MAX_EXCHANGE_BYTES: Final = 1_000_000
_UNAUTHORIZED: Final = 401
#: Of what a receiver says about a batch it did not take.
_MAX_REASON: Final = 300


class _Reply(NamedTuple):
    """What an answer says: status, seconds of `Retry-After`, and the beginning of its body."""

    status: int
    retry_after_s: float | None
    text: str


class TokenSource(Protocol):
    """Gives tokens that expire. Any thread calls it, and only to send."""

    def token(self, timeout_s: float | None) -> str:
        """Return a valid token, asking for a new one if need be.

        Raises:
            SendError: None could be had.
        """

    def refused(self, token: str) -> None:
        """Take note that the receiver refused a token, so that the next one is another."""


class FixedToken:
    """A token that stays as it is."""

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token

    def __repr__(self) -> str:
        return "FixedToken(...)"

    def token(self, timeout_s: float | None) -> str:
        """Return it."""
        return self._token

    def refused(self, token: str) -> None:
        """Do nothing: there is no other."""


class HttpTransport:
    """Posts bodies to one server. Neither `repr` nor any error shows the token.

    Args:
        server: `http://host:port` or `https://host:port`.
        token: Sent as `Authorization: Bearer`; None sends none.
        ca_file: Certificates to trust, in place of the system's.
        allow_insecure: Whether a token may travel over plain HTTP to another machine.

    Attributes:
        server: The URL, without a slash at its end.
        host: The server's name or address.
        is_encrypted: Whether it is https.

    Raises:
        ConfigError: `server` is no such URL, or holds a user; the token cannot stand in a header,
            or would go over plain HTTP; the CA file or the environment's proxy cannot be used.
    """

    def __init__(
        self,
        server: str,
        token: str | TokenSource | None = None,
        *,
        ca_file: str | None = None,
        allow_insecure: bool = False,
    ) -> None:
        self.host, self.is_encrypted = _checked(server)
        if isinstance(token, str):
            if not fits_a_header(token):
                raise ConfigError(
                    f"the token for {self.host!r} holds white space or characters beyond ASCII; "
                    "give it as the service shows it"
                )
            token = FixedToken(token) if token else None
        if token and not self.is_encrypted and not allow_insecure and not is_loopback(self.host):
            raise ConfigError(
                f"a token for {self.host!r} would travel over plain http; use https, or "
                "allow_insecure if the way there is safe"
            )
        self.server = server.rstrip("/")
        self._token = token
        self._context = tls_context(ca_file) if self.is_encrypted else None
        # Read once: a forked child must not fail over what the environment says by then.
        self._proxy = proxy_for("https" if self.is_encrypted else "http", self.host)
        self._reset()
        reset_after_fork(self._reset)

    def __repr__(self) -> str:
        return f"HttpTransport({self.server!r})"

    def _reset(self) -> None:
        self._pool = make_pool(self._proxy, self._context)

    def post(
        self,
        path: str,
        pieces: Sequence[bytes],
        headers: Mapping[str, str],
        timeout_s: float | None = None,
        *,
        compress: bool = True,
    ) -> int:
        """Post a body and return the status, which is below 300.

        Args:
            path: Path and query, after the server.
            pieces: The content, in as many parts as it comes in.
            headers: Besides those of the transport.
            timeout_s: Cuts the usual time-outs short; for all of it, asking for a token included.
            compress: Whether the body goes gzipped.

        Raises:
            SendError: No answer, or one of status 300 and up; redirects are not followed, since a
                token must not go where the receiver points.
        """
        sent = dict(headers)
        if compress:
            sent["Content-Encoding"] = "gzip"
            body = _gzipped(pieces)
        else:
            body = b"".join(pieces)
        reply = self._post_with_token(path, body, sent, timeout_s)
        if reply.status >= 300:
            raise SendError(
                f"{self.server} answered {reply.status}",
                status=reply.status,
                retry_after_s=reply.retry_after_s,
                answer=reply.text,
            )
        return reply.status

    def _post_with_token(
        self, path: str, body: bytes, headers: dict[str, str], timeout_s: float | None
    ) -> _Reply:
        if self._token is None:
            return self._post_once(path, body, headers, timeout_s)
        begun_s = time.monotonic()

        def rest_s() -> float | None:
            return None if timeout_s is None else max(timeout_s + begun_s - time.monotonic(), 0.0)

        for _ in range(2):
            token = self._token.token(rest_s())
            authorized = {**headers, "Authorization": f"Bearer {token}"}
            reply = self._post_once(path, body, authorized, rest_s())
            if reply.status != _UNAUTHORIZED:
                break
            self._token.refused(token)
            if isinstance(self._token, FixedToken):
                break
        return reply

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def exchange(
        self, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        """Post a body as it is, without a token, and return status and body of the answer.

        Raises:
            SendError: No answer, or one that is too large.
        """
        with self._translated():
            answer = self._request(path, body, headers, timeout_s)
            content = answer.read(_MAX_EXCHANGE_BYTES + 1)
            answer.release_conn()
        if len(content) > _MAX_EXCHANGE_BYTES:
            raise SendError(f"{self.server} answered more than {_MAX_EXCHANGE_BYTES} bytes")
        return int(answer.status), content

    def _post_once(
        self, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float | None
    ) -> _Reply:
        limit_s = READ_TIMEOUT_S if timeout_s is None else min(timeout_s, READ_TIMEOUT_S)
        deadline = time.monotonic() + limit_s
        with self._translated():
            answer = self._request(path, body, headers, limit_s)
        said = bytearray()
        try:
            with self._translated():
                if _read_to_end(answer, deadline, said):
                    answer.release_conn()
                else:
                    answer.close()
        except SendError:
            # The status is known, which is all that counts; only the connection is of no more use.
            answer.close()
        text = said.decode("utf-8", "replace") if answer.status >= 300 else ""
        return _Reply(
            int(answer.status), retry_after_seconds(answer.headers.get("Retry-After")), text
        )

    def _request(
        self, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> urllib3.BaseHTTPResponse:
        # An integration of urllib3 would record what it makes us send.
        with suppressed():
            return self._pool.request(
                "POST",
                self.server + path,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=request_timeout(timeout_s),
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from urllib3 import exceptions

        try:
            yield
        # ValueError: http.client refuses a host name or header in so many ways.
        except (exceptions.HTTPError, OSError, http.client.HTTPException, ValueError) as exc:
            # Not `from exc`, whose text may hold what was sent.
            raise SendError(
                f"no answer from {self.server}: {describe_failure(exc)}", cause=type(exc).__name__
            ) from None


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
    except ValueError:  # not `from` it, which may show all of the URL
        raise ConfigError(f"server {shown!r} is no URL; give http(s)://HOST:PORT") from None
    if parts.scheme not in {"http", "https"} or not host or not fits_a_header(host):
        raise ConfigError(f"server {shown!r} is no URL; give http(s)://HOST:PORT")
    if parts.username is not None:
        raise ConfigError(f"server {shown!r} was given with a user; give the token apart from it")
    return host, parts.scheme == "https"


def fits_a_header(text: str) -> bool:
    """Return whether a text may stand in a header: visible ASCII alone."""
    return all("!" <= char <= "~" for char in text)


def _gzipped(pieces: Sequence[bytes]) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    # In one piece: each call lets go of the GIL, and a busy application gives it back 5 ms later.
    return packer.compress(b"".join(pieces)) + packer.flush()


def _read_to_end(answer: urllib3.BaseHTTPResponse, deadline: float, said: bytearray) -> bool:
    """Read a body for its connection to be used again; False when not worth it.

    Its beginning goes to `said`.
    """
    read = getattr(answer, "read1", None)  # not in urllib3 2.0, where a slow body could hold us
    if read is None:
        return answer.headers.get("Content-Length") == "0" and not answer.read()
    total = 0
    while total < _MAX_ANSWER_BYTES and time.monotonic() < deadline:
        piece = read(4096)
        if not piece:
            return True
        total += len(piece)
        said += piece[: max(0, _MAX_REASON - len(said))]
    return False


def request_timeout(
    timeout_s: float, connect_timeout_s: float = CONNECT_TIMEOUT_S
) -> urllib3.Timeout:
    """Return the time-outs of one request, all of which may take so long."""
    import urllib3

    limit_s = max(timeout_s, _SHORTEST_TIMEOUT_S)
    return urllib3.Timeout(
        connect=max(min(connect_timeout_s, limit_s), _SHORTEST_TIMEOUT_S),
        read=limit_s,
        total=limit_s,
    )


def retry_after_seconds(header: str | None) -> float | None:
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
