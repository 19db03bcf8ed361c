"""Who may see the page: Host, Origin and token are checked before anything else.

A page on loopback can be reached by any site the user's browser visits, through a name that
resolves to 127.0.0.1; the Host header gives that away.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

__all__ = ["AccessControl"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_COOKIE: Final = "wf_instrument_token"
_HEADERS: Final = (
    (
        b"content-security-policy",
        # Plotly sets styles on its elements; scripts come from our own files alone.
        (
            b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            b"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class AccessControl:
    """Refuses strangers, adds security headers.

    Args:
        app: The application behind it.
        hosts: Host names and addresses that the page may be asked for by, without port.
        token: What visitors must show, as `Authorization: Bearer` or once as `?token=`; None asks
            for none.
    """

    def __init__(self, app: AsgiApp, hosts: Iterable[str], token: str | None) -> None:
        self._app = app
        self._hosts = frozenset(host.strip("[]").lower() for host in hosts)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        status, words = self._verdict(scope, headers)
        if status:
            await _refuse(send, status, words)
            return
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        await self._app(scope, receive, _with_headers(send, given if self._token else ""))

    def _verdict(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str]:
        """Return the status to refuse with and why; 0 to let the request pass."""
        if _host_of(f"//{headers.get('host', '')}") not in self._hosts:
            return 421, "This page does not answer to that Host."
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope.get('scheme', 'http')}://{headers['host']}":
            return 403, "This page is not for other sites."
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "Only GET and HEAD."
        if self._token is not None and not self._knows_token(scope, headers):
            return 401, "A token is needed: open the page as /?token=..."
        return 0, ""

    def _knows_token(self, scope: Scope, headers: dict[str, str]) -> bool:
        assert self._token is not None  # noqa: S101 - our own invariant: the caller asked
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        shown = [
            headers.get("authorization", "").removeprefix("Bearer "),
            query.get("token", [""])[0],
            _cookie(headers.get("cookie", "")),
        ]
        # All are compared, in constant time each, so that timing tells nothing.
        matches = [hmac.compare_digest(one.encode(), self._token.encode()) for one in shown]
        return any(matches)


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(_COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _with_headers(send: Send, token: str) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = list(_HEADERS)
            if token:
                cookie = SimpleCookie()
                cookie[_COOKIE] = token
                cookie[_COOKIE]["path"] = "/"
                cookie[_COOKIE]["httponly"] = True
                cookie[_COOKIE]["samesite"] = "Strict"
                text = cookie[_COOKIE].OutputString()
                extra.append((b"set-cookie", text.encode("latin-1", "replace")))
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return with_headers


async def _refuse(send: Send, status: int, words: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words.encode() + b"\n"})
