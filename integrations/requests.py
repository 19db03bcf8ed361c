"""requests: `install()` records each request that a session sends, redirects one by one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard
from wf_instrument.outgoing import begin_call

try:
    import requests.adapters
except ImportError as exc:
    raise MissingExtraError(
        "recording calls by requests needs the package 'requests', which is not installed; "
        "run: pip install requests",
        name="requests",
    ) from exc

from ._client import unwrap_method, wrap_method

__all__ = ["install", "uninstall"]


def install() -> None:
    """Record every request that is sent from now on; harmless when called again."""
    wrap_method(requests.adapters.HTTPAdapter, "send", _recording)


def uninstall() -> None:
    """Record nothing any more; harmless when called again."""
    unwrap_method(requests.adapters.HTTPAdapter, "send")


def _recording(send: Any) -> Any:
    def recorded(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        call = None
        with guard("requests.send"):
            url = urlsplit(request.url)
            path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
            call = begin_call(
                "requests", request.method, url.scheme, url.hostname or "", url.port, path
            )
        if call is None:
            return send(self, request, *args, **kwargs)
        call.inject(request.headers)
        try:
            response = send(self, request, *args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        call.answered(response.status_code)
        return response

    return recorded
