"""The connections of a transport: through a proxy if the environment says so, with a CA of ours.

Source:
    `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` as in the standard library's
    `urllib.request`; `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE` as in requests, which the legacy
    clients used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from wf_instrument.errors import ConfigError
from wf_instrument.sender.timed_response import timed_pool_classes

if TYPE_CHECKING:
    import ssl

    import urllib3

__all__ = ["describe_failure", "make_pool", "proxy_for", "tls_context"]

#: One for the worker, one for data that are sent at once.
_MAX_CONNECTIONS: Final = 2
_CA_VARIABLES: Final = ("WF_CA_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def tls_context(ca_file: str | None) -> ssl.SSLContext | None:
    """Return a context that trusts the CAs of a file or folder; None trusts the system's.

    Raises:
        ConfigError: There is no certificate to read.
    """
    name = "ca_file"
    for variable in _CA_VARIABLES:
        if not ca_file and os.environ.get(variable):
            name, ca_file = variable, os.environ[variable]
    if not ca_file:
        return None
    import ssl

    is_folder = os.path.isdir(ca_file)  # noqa: PTH112 - Path.is_dir raises where one may not look
    try:
        return ssl.create_default_context(
            cafile=None if is_folder else ca_file, capath=ca_file if is_folder else None
        )
    except OSError as exc:  # which ssl.SSLError is
        raise ConfigError(
            f"{name} {ca_file!r} holds no certificates that can be read: "
            f"{exc.strerror or type(exc).__name__}; name a file in PEM format"
        ) from exc


def make_pool(proxy: str | None, context: ssl.SSLContext | None) -> urllib3.PoolManager:
    """Return a pool for one host.

    Args:
        proxy: From `proxy_for`.
        context: From `tls_context`.
    """
    # Imported when the first sender is made: formatting lines alone needs no HTTP.
    import urllib3

    if proxy is None:
        pool = urllib3.PoolManager(maxsize=_MAX_CONNECTIONS, retries=False, ssl_context=context)
    else:
        pool = _proxy_pool(proxy, context)
    pool.pool_classes_by_scheme = timed_pool_classes()  # type: ignore[assignment]  # a mapping
    return pool


def _proxy_pool(proxy: str, context: ssl.SSLContext | None) -> urllib3.PoolManager:
    import urllib3

    parts = urlsplit(proxy)
    headers = None
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}")
    return urllib3.ProxyManager(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        maxsize=_MAX_CONNECTIONS,
        retries=False,
        proxy_headers=headers,
        ssl_context=context,
    )


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the URL of the proxy on the way to a host, None when there is none.

    Raises:
        ConfigError: The environment names a proxy that cannot be used.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # and the module below need not be loaded
    from urllib import request

    proxies = request.getproxies_environment()
    found = proxies.get(scheme) or proxies.get("all")
    # Not `proxy_bypass`, which on some systems looks at more than the environment.
    is_bypassed = request.proxy_bypass_environment  # type: ignore[attr-defined]  # undocumented
    if not found or is_bypassed(host, proxies):
        return None
    url = found if "://" in found else f"http://{found}"
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        shown = url.rpartition("@")[2]  # what stands before may be a password
        raise ConfigError(
            f"the environment's proxy {shown!r} for {scheme} cannot be used; "
            f"give http://HOST:PORT, or put {host!r} into no_proxy"
        )
    return url


def describe_failure(error: Exception) -> str:
    """Return in few words why no answer came. Never what was sent."""
    from urllib3 import exceptions

    cause: BaseException = error
    if isinstance(error, exceptions.ProxyError) and error.original_error is not None:
        return f"the proxy failed: {describe_failure(error.original_error)}"
    if isinstance(error, exceptions.SSLError):
        cause = error.__cause__ or error.__context__ or error
        reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
        return f"TLS failed: {reason or 'no details'}"
    for kind, said in (
        (exceptions.NameResolutionError, "the host name does not resolve"),
        (exceptions.NewConnectionError, "nobody listens there, or no way leads there"),
        (exceptions.ConnectTimeoutError, "no connection in time"),
        (exceptions.ReadTimeoutError, "no answer in time"),
        (exceptions.ProtocolError, "the connection broke, or what came was no HTTP"),
    ):
        if isinstance(error, kind):
            return said
    return type(error).__name__
