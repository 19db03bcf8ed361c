"""Tokens of VMware Cloud Services (CSP): asked for, kept, and renewed before they expire.

Source:
    VMware Cloud Services API, `POST /csp/gateway/am/api/auth/api-tokens/authorize` and
    `POST /csp/gateway/am/api/auth/authorize`.

Threads: any.
Locks: `_lock` is held while a token is asked for, so that many threads ask once; who waits for it
    waits no longer than its own time-out.
Fork: the child has a lock of its own; the token is the same.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlencode

from wf_instrument.backends.wavefront.client_constants import ClientConstants
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog
from wf_instrument.sender.transport import HttpTransport, fits_a_header, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DEFAULT_BASE_URL",
    "CspApiToken",
    "CspCredentials",
    "CspOAuthApp",
    "CspTokenSource",
    "csp_credentials",
    "renewal_margin_s",
]

log = logging.getLogger(__name__)

DEFAULT_BASE_URL: Final = "https://console.cloud.vmware.com"
API_TOKEN_PATH: Final = "/csp/gateway/am/api/auth/api-tokens/authorize"  # noqa: S105 - a path
OAUTH_PATH: Final = "/csp/gateway/am/api/auth/authorize"
REQUEST_TIMEOUT_S: Final = 30.0
#: A token that lives shorter than this is renewed `_SHORT_MARGIN_S` before it ends.
_SHORT_LIFETIME_S: Final = 600.0
_SHORT_MARGIN_S: Final = 30.0
_LONG_MARGIN_S: Final = 180.0
#: After a failure nobody asks again for so long, unless the old token is still good.
_FAILURE_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class CspApiToken:
    """A user's API token."""

    api_token: str = field(repr=False)

    auth_type: ClassVar[str] = ClientConstants.AUTH_TYPE_CSP_API_TOKEN

    def path(self) -> str:
        """Where the token is exchanged."""
        return API_TOKEN_PATH

    def form(self) -> dict[str, str]:
        """What is posted."""
        return {"api_token": self.api_token}

    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {}


@dataclass(frozen=True, slots=True)
class CspOAuthApp:
    """A server-to-server OAuth app."""

    app_id: str
    app_secret: str = field(repr=False)
    org_id: str | None = None

    auth_type: ClassVar[str] = ClientConstants.AUTH_TYPE_CSP_OAUTH

    def path(self) -> str:
        """Where a token is asked for."""
        return OAUTH_PATH

    def form(self) -> dict[str, str]:
        """What is posted."""
        form = {"grant_type": "client_credentials"}
        return {**form, "orgId": self.org_id} if self.org_id else form

    def headers(self) -> dict[str, str]:
        """What goes with it: id and secret."""
        pair = f"{self.app_id}:{self.app_secret}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


CspCredentials = CspApiToken | CspOAuthApp


def renewal_margin_s(lifetime_s: float) -> float:
    """Return how many seconds before its end a token of that lifetime is renewed."""
    return _SHORT_MARGIN_S if lifetime_s < _SHORT_LIFETIME_S else _LONG_MARGIN_S


def csp_credentials(
    api_token: str | None, app_id: str | None, app_secret: str | None, org_id: str | None
) -> CspCredentials | None:
    """Return the credentials that are given, None when there are none.

    Raises:
        ConfigError: They are incomplete, or of both kinds.
    """
    if bool(app_id) != bool(app_secret):
        raise ConfigError(
            "a CSP OAuth app needs both csp_app_id and csp_app_secret, and one is missing; "
            "give both"
        )
    if api_token and app_id:
        raise ConfigError("CSP credentials of both kinds; give either csp_api_token or csp_app_id")
    if api_token:
        return CspApiToken(api_token)
    return CspOAuthApp(app_id, app_secret, org_id) if app_id and app_secret else None


class CspTokenSource:
    """A `TokenSource` on CSP.

    A token that is still good is used on when its renewal fails; without one, nothing is sent.

    Args:
        credentials: An API token or an OAuth app.
        base_url: Of the console; `DEFAULT_BASE_URL` when empty.
        ca_file: Certificates to trust, in place of the system's.
        allow_insecure: Whether credentials may travel over plain HTTP to another machine.
        clock: Monotonic seconds.

    Raises:
        ConfigError: The URL is none, or credentials would travel over plain HTTP.
    """

    def __init__(
        self,
        credentials: CspCredentials,
        base_url: str | None = None,
        *,
        ca_file: str | None = None,
        allow_insecure: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = (base_url or DEFAULT_BASE_URL).strip().rstrip("/")
        try:
            self._transport = HttpTransport(self.base_url, ca_file=ca_file)
        except ConfigError as exc:
            raise ConfigError(f"CSP base URL: {exc}") from None
        host = self._transport.host
        if not self._transport.is_encrypted and not allow_insecure and not is_loopback(host):
            raise ConfigError(
                f"CSP credentials for {host!r} would travel over plain http; use https"
            )
        self._credentials = credentials
        self._clock = clock
        self._log = RateLimitedLog(log)
        self._token: str | None = None
        self._renew_at_s = 0.0
        self._expires_at_s = 0.0
        self._failed_at_s = -REQUEST_TIMEOUT_S
        self._reset()
        reset_after_fork(self._reset)

    def __repr__(self) -> str:
        return f"CspTokenSource({type(self._credentials).__name__}, {self.base_url!r})"

    @property
    def auth_type(self) -> str:
        """`csp_api_token` or `csp_oauth`."""
        return self._credentials.auth_type

    def _reset(self) -> None:
        self._lock = threading.Lock()

    def token(self, timeout_s: float | None = None) -> str:
        """Return a valid token.

        Raises:
            SendError: None could be had, within `timeout_s` if given.
        """
        token = self._token
        if token is not None and self._clock() < self._renew_at_s:
            return token
        limit_s = REQUEST_TIMEOUT_S if timeout_s is None else max(timeout_s, 0.01)
        deadline = time.monotonic() + limit_s
        if not self._lock.acquire(timeout=limit_s):
            raise SendError(f"no token from {self.base_url}: another thread still waits for one")
        try:
            return self._renewed(max(deadline - time.monotonic(), 0.0))
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Have the next call ask for a new token."""
        with self._lock:
            self._token = None

    def refused(self, token: str) -> None:
        """Forget a token that the service refused."""
        with self._lock:
            if token == self._token:
                self._token = None

    def _renewed(self, timeout_s: float) -> str:
        """Caller holds `_lock`."""
        now_s = self._clock()
        if self._token is not None and now_s < self._renew_at_s:
            return self._token  # another thread was faster
        is_good = self._token is not None and now_s < self._expires_at_s
        if is_good and now_s - self._failed_at_s < _FAILURE_PAUSE_S:
            return str(self._token)
        try:
            token, lifetime_s = self._ask(timeout_s)
        except SendError as error:
            self._failed_at_s = now_s
            self._log.warning("csp", "%s", error)
            if is_good:
                return str(self._token)
            raise
        self._token = token
        self._expires_at_s = now_s + lifetime_s
        rest_s = lifetime_s - renewal_margin_s(lifetime_s)
        # One that lives shorter than the margin would be renewed at every request.
        self._renew_at_s = now_s + (rest_s if rest_s > 0 else lifetime_s / 2)
        return token

    def _ask(self, timeout_s: float) -> tuple[str, float]:
        """Return a new token and its lifetime in seconds."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            **self._credentials.headers(),
        }
        body = urlencode(self._credentials.form()).encode()
        status, answer = self._transport.exchange(
            self._credentials.path(), body, headers, timeout_s
        )
        if status != 200:
            raise SendError(f"no token from {self.base_url}: it answered {status}")
        return _read_answer(answer, self.base_url)


def _read_answer(body: bytes, base_url: str) -> tuple[str, float]:
    try:
        fields = json.loads(body)
        token, lifetime_s = fields["access_token"], float(fields["expires_in"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        # Not `from exc`, which would show what came.
        raise SendError(f"no token from {base_url}: its answer holds none") from None
    if not isinstance(token, str) or not token or not fits_a_header(token) or not lifetime_s > 0:
        raise SendError(f"no token from {base_url}: its answer holds none that can be used")
    return token, lifetime_s
