"""urllib3: `install()` records each call of a pool, with its retries and redirects as one."""

from __future__ import annotations

from typing import Any

from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard
from wf_instrument.outgoing import begin_call

try:
    import urllib3
except ImportError as exc:
    raise MissingExtraError(
        "recording calls by urllib3 needs the package 'urllib3', which is not installed; "
        "run: pip install urllib3",
        name="urllib3",
    ) from exc

from ._client import unwrap_method, wrap_method

__all__ = ["install", "uninstall"]


def install() -> None:
    """Record every call that is made from now on; harmless when called again."""
    wrap_method(urllib3.HTTPConnectionPool, "urlopen", _recording)


def uninstall() -> None:
    """Record nothing any more; harmless when called again."""
    unwrap_method(urllib3.HTTPConnectionPool, "urlopen")


def _recording(urlopen: Any) -> Any:
    def recorded(
        self: Any, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any
    ) -> Any:
        call = None
        with guard("urllib3.urlopen"):
            # A proxy of plain HTTP is asked for the whole URL.
            path = url if url.startswith("/") else "/" + url.partition("://")[2].partition("/")[2]
            call = begin_call("urllib3", method, self.scheme, self.host, self.port, path)
        if call is None:
            return urlopen(self, method, url, body, headers, **kwargs)
        with guard("urllib3.headers"):
            # A copy: these may be those of the pool, or of the caller.
            own = dict(self.headers if headers is None else headers)
            call.inject(own)
            headers = own
        try:
            response = urlopen(self, method, url, body, headers, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        call.answered(response.status)
        return response

    return recorded
