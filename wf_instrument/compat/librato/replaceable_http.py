"""A connection whose HTTP is done by `librato.HTTPSConnection`, where a test replaced that.

Source:
    python-librato's own tests, and those of its users: a fake is put in place of the class.
"""

from __future__ import annotations

import http.client
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.librato import connection as ours
from wf_instrument.backends.librato.exceptions import get
from wf_instrument.backends.librato.json_text import decode_body
from wf_instrument.backends.librato.requester import (
    BASE_PATH,
    DEFAULT_DEADLINE,
    HOSTNAME,
    from_environment,
)
from wf_instrument.backends.librato.sanitizer import sanitize_no_op
from wf_instrument.errors import SendError
from wf_instrument.sender import HttpAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LibratoConnection", "connect"]

_PACKAGE: Final = "wf_instrument.compat.librato"


class LibratoConnection(ours.LibratoConnection):
    """The connection, with what tests take hold of.

    Attributes:
        fake_n_errors: Told to a fake connection, if it is not 0.
    """

    fake_n_errors = 0

    def _send(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> HttpAnswer:
        name = "HTTPSConnection" if self.protocol == "https" else "HTTPConnection"
        kind = getattr(sys.modules[_PACKAGE], name)
        if kind is getattr(http.client, name):
            return super()._send(method, target, body, headers, timeout_s)
        if self.fake_n_errors > 0:
            connection = kind(self.hostname, fake_n_errors=self.fake_n_errors)
        else:
            connection = kind(self.hostname, timeout=self.timeout)
        try:
            # The older client's bodies were texts, which fakes read as JSON.
            text = None if body is None else body.decode("ascii")
            connection.request(method, target, body=text, headers=dict(headers))
            answer = connection.getresponse()
            return _reply(answer)
        except OSError as exc:
            raise SendError(f"no answer from {self.hostname}: {exc}") from exc
        finally:
            connection.close()

    def _process_response(self, resp: Any, backoff: float) -> tuple[Any, bool, float]:
        """Return content, success and the next wait, after having waited if it was an error."""
        reply = _reply(resp)
        if reply.status >= 500:
            backoff = self.backoff_logic(backoff)
            time.sleep(backoff)
            return None, False, backoff
        kind = reply.headers.get("content-type")
        if reply.status >= 400:
            raise get(reply.status, decode_body(reply.body, kind, is_error=True))
        return decode_body(reply.body, kind), True, backoff


def connect(
    username: str | None = None,
    api_key: str | None = None,
    hostname: str = HOSTNAME,
    base_path: str = BASE_PATH,
    sanitizer: Callable[[str], str] = sanitize_no_op,
    protocol: str = "https",
    tags: Mapping[str, str] | None = None,
    *,
    deadline: float = DEFAULT_DEADLINE,
) -> LibratoConnection:
    """Return a connection; see `wf_instrument.backends.librato.connect`."""
    return LibratoConnection(
        from_environment(username, "LIBRATO_USER"),
        from_environment(api_key, "LIBRATO_TOKEN"),
        hostname,
        base_path,
        sanitizer,
        protocol,
        tags,
        deadline=deadline,
    )


def _reply(answer: Any) -> HttpAnswer:
    content = answer.read()
    body = content.encode("utf-8") if isinstance(content, str) else content or b""
    kind = answer.getheader("Content-Type", "application/json")
    headers = {"content-type": kind} if kind else {}
    retry_after = answer.getheader("Retry-After", None)
    # A fake may give the same for every header.
    if retry_after and str(retry_after).isdecimal():
        headers["retry-after"] = str(retry_after)
    return HttpAnswer(answer.status, headers, body)
