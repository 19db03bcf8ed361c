"""Requests to the Librato API: credentials, time-outs, retries until a deadline, decoded answers.

Threads: any. Requests share the transport's pool.
Locks: `_making` lets one thread make the transport; nothing is locked on the network.
Fork: the child makes connections of its own.
Loss: none of its own; a request that fails to the end raises.
"""

from __future__ import annotations

import base64
import logging
import os
import platform
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from wf_instrument._version import __version__
from wf_instrument.backends.librato.exceptions import (
    ClientError,
    ConnectionFailed,
    TimedOut,
    get,
)
from wf_instrument.backends.librato.json_text import decode_body, encode_query, json_body
from wf_instrument.backends.librato.sanitizer import sanitize_no_op
from wf_instrument.backends.librato.tag_holder import TagHolder
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.sender import HttpAnswer, HttpClient, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BASE_PATH",
    "DEFAULT_DEADLINE",
    "DEFAULT_TIMEOUT",
    "HOSTNAME",
    "Requester",
    "from_environment",
]

log = logging.getLogger(__name__)

HOSTNAME: Final = "metrics-api.librato.com"
BASE_PATH: Final = "/v1/"
DEFAULT_TIMEOUT: Final = 10
DEFAULT_DEADLINE: Final = 60.0

_FIRST_BACKOFF_S: Final = 1.0
_LONGEST_BACKOFF_S: Final = 30.0
#: Statuses after which the same request may succeed. 403 is not among them: an account's hourly
#: limit does not pass within a minute, and missing rights never do.
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
#: What a repeated POST does no harm to: a measurement that comes twice has the same time and value.
_REPEATABLE_POSTS: Final = ("metrics", "measurements")


class Requester(TagHolder):
    """Makes the requests of a connection. Neither `repr` nor an error shows the token.

    Args:
        username: The user's e-mail address.
        api_key: The token.
        hostname: The service's, or that of another that speaks alike; may have a port.
        base_path: In front of every path; ends with a slash.
        sanitizer: Makes a metric's name one that the service takes.
        protocol: `https` or `http`.
        tags: Of all measurements, unless they have others.
        deadline: Seconds that one request may take with all its retries.

    Attributes:
        username: As bytes.
        api_key: As bytes.
        hostname: As given.
        base_path: As given.
        protocol: As given.
        sanitize: The sanitizer.
        timeout: Seconds one try may take.
        deadline: As given.
        custom_ua: Put in place of the user agent when it is set.
        backoff_logic: Returns the next wait in seconds for the wait before, 1 at first.

    Raises:
        TypeError: User or token are no ASCII text.
        ConfigError: (a `ValueError`) `protocol` or `base_path` cannot be.
    """

    def __init__(
        self,
        username: str | bytes,
        api_key: str | bytes,
        hostname: str = HOSTNAME,
        base_path: str = BASE_PATH,
        sanitizer: Callable[[str], str] = sanitize_no_op,
        protocol: str = "https",
        tags: Mapping[str, str] | None = None,
        *,
        deadline: float = DEFAULT_DEADLINE,
    ) -> None:
        if protocol not in {"http", "https"}:
            raise ConfigError(f"protocol is {protocol!r}; give 'https' or 'http'")
        if not (base_path.startswith("/") and base_path.endswith("/")):
            raise ConfigError(f"base_path is {base_path!r}; begin and end it with a slash")
        self.username = _credential("username", username)
        self.api_key = _credential("api_key", api_key)
        self.hostname = hostname
        self.base_path = base_path
        self.sanitize = sanitizer
        self.protocol = protocol
        self.tags = dict(tags or {})
        self.timeout: float | None = DEFAULT_TIMEOUT
        self.deadline = deadline
        self.custom_ua: str | None = None
        self.backoff_logic: Callable[[float], float] = _doubled
        self._prepare()

    def _prepare(self) -> None:
        self._caller: tuple[str, HttpClient] | None = None
        self._in_child()
        reset_after_fork(self._in_child)

    def _in_child(self) -> None:
        self._making = threading.Lock()
        self._closing = threading.Event()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.protocol}://{self.hostname}{self.base_path})"

    def __getstate__(self) -> dict[str, Any]:
        own = {"_caller", "_making", "_closing"}
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    def set_timeout(self, timeout: float | None) -> None:
        """Have each try take so many seconds at most, from the next request on."""
        self.timeout = timeout

    def close(self) -> None:
        """End waits between retries, whose requests fail, and close idle connections."""
        self._closing.set()
        with self._making:
            caller, self._caller = self._caller, None
        if caller is not None:
            caller[1].close()

    def _mexe(
        self,
        path: str,
        method: str = "GET",
        query_props: Mapping[str, object] | None = None,
        p_headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a request and return the decoded answer; every other call comes through here.

        Raises:
            ClientError: It was refused, or failed until the deadline.
            ValueError: JSON has no form for a property.
        """
        return self._content(self._exchange(path, method, query_props, p_headers))

    def _exchange(
        self,
        path: str,
        method: str,
        query_props: Mapping[str, object] | None = None,
        p_headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """As `_mexe`, with the headers of the answer."""
        if query_props is not None and not hasattr(query_props, "items"):
            raise TypeError(f"parameters are {query_props!r}; give a mapping")
        target, body, headers = self._make_request(path, method, query_props, p_headers)
        until = time.monotonic() + self.deadline
        # A try that the deadline cut short would leave open whether it was carried out.
        last_begin = until - min(self.deadline / 2, self.timeout or self.deadline)
        backoff_s, tries = _FIRST_BACKOFF_S, 0
        while True:
            tries += 1
            answer = self._try_once(method, target, body, headers, until)
            if isinstance(answer, HttpAnswer):
                if answer.status < 300:
                    return answer
                error = self._refusal(answer)
            else:
                error = answer
            backoff_s = float(self.backoff_logic(backoff_s))
            # Not all clients at once, after an outage.
            pause_s = max(backoff_s * random.uniform(0.75, 1.0), error.retry_after_s or 0.0)
            if (
                not self._may_repeat(error, method, path)
                or time.monotonic() + pause_s > last_begin
                or self._closing.is_set()
            ):
                _tell_tries(error, tries, method, path)
                raise error
            log.debug("%s %s: %s; again in %.1f s", method, path, error.code, pause_s)
            self._closing.wait(pause_s)

    def _content(self, reply: HttpAnswer) -> Any:
        return decode_body(reply.body, reply.headers.get("content-type"))

    def _refusal(self, reply: HttpAnswer) -> ClientError:
        said = decode_body(reply.body, reply.headers.get("content-type"), is_error=True)
        if 300 <= reply.status < 400:
            # Followed, a POST would become a GET, or the token go elsewhere.
            where = reply.headers.get("location", "elsewhere")
            said = f"the service redirects to {where!r}, which is not followed; change `hostname`"
        return get(reply.status, said, headers=reply.headers, retry_after_s=reply.retry_after_s)

    def _try_once(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        until: float,
    ) -> HttpAnswer | ConnectionFailed:
        rest_s = until - time.monotonic()
        limit_s = rest_s if self.timeout is None else min(self.timeout, rest_s)
        try:
            return self._send(method, target, body, headers, limit_s)
        except SendError as exc:
            text = str(exc)
            kind = TimedOut if "in time" in text or "too long" in text else ConnectionFailed
            failed = kind(None, text)
            if isinstance(exc, NoAnswerError):
                # A certificate that is no good stays so.
                failed.is_unsent, failed.is_passing = exc.is_unsent, not exc.is_tls
            return failed

    def _send(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> HttpAnswer:
        """Make one try.

        Raises:
            SendError: No answer.
        """
        return self._transport().call(
            method, target, headers, timeout_s, body=body, connect_timeout_s=timeout_s
        )

    def _transport(self) -> HttpClient:
        server = f"{self.protocol}://{self.hostname}"
        with self._making:
            if self._caller is None or self._caller[0] != server:
                self._caller = server, HttpClient(server)
            return self._caller[1]

    def _make_request(
        self,
        path: str,
        method: str,
        query_props: Mapping[str, object] | None,
        p_headers: Mapping[str, str] | None,
    ) -> tuple[str, bytes | None, dict[str, str]]:
        target, body = self.base_path + path, None
        credentials = base64.b64encode(self.username + b":" + self.api_key).decode("ascii")
        headers = {
            "Authorization": f"Basic {credentials}",
            "User-Agent": self._compute_ua(),
            **(p_headers or {}),
        }
        if query_props and method == "GET":
            query = self._url_encode_params(query_props)
            target += f"?{query}" if query else ""
        elif query_props:
            body = json_body(dict(query_props))
            headers["Content-Type"] = "application/json"
        return target, body, headers

    def _compute_ua(self) -> str:
        if self.custom_ua:
            return self.custom_ua
        machine = f"{platform.machine()}-{platform.system()}{platform.release()}"
        return f"wf-instrument/{__version__} (python; {platform.python_version()}; {machine})"

    def _url_encode_params(self, params: Mapping[str, object]) -> str:
        return encode_query(params)

    @staticmethod
    def _may_repeat(error: ClientError, method: str, path: str) -> bool:
        """Whether another try may help and does no harm."""
        if isinstance(error, ConnectionFailed):
            if not error.is_passing:
                return False
            # An answer that got lost: the thing may have been created.
            return error.is_unsent or method != "POST" or path in _REPEATABLE_POSTS
        return error.code in _PASSING


def _doubled(backoff: float) -> float:
    return min(backoff * 2, _LONGEST_BACKOFF_S)


def _tell_tries(error: ClientError, tries: int, method: str, path: str) -> None:
    if tries > 1:
        error.add_context(f"{method} {path} given up after {tries} tries")


def _credential(name: str, text: str | bytes) -> bytes:
    """Return user or token as bytes.

    Raises:
        TypeError: It is no ASCII text.
    """
    if isinstance(text, str) and text.isascii():
        return text.encode("ascii")
    if isinstance(text, bytes) and text.isascii():
        return text
    raise TypeError(f"{name} holds characters beyond ASCII, or is no text; it is not shown here")


def from_environment(value: str | None, variable: str) -> str:
    """Return a credential: as given, else of a variable of the environment, else empty."""
    return value or os.environ.get(variable, "")
