"""Failures of a request as programs of the older client catch them: exceptions of `requests`.

Where `requests` is not installed nobody can catch those; the built-in `ConnectionError` and
`TimeoutError` stand in.

Threads: any.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import SendError

if TYPE_CHECKING:
    from wf_instrument.backends.signalfx.response import IngestResponse

__all__ = ["error_name", "is_unsent", "request_error", "status_error"]

#: Failures before a byte of the request left, by class name: another try repeats nothing.
_UNSENT: Final = frozenset(
    {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError", "SSLError"}
)
#: Class names of the HTTP library to those of `requests`.
_NAMES: Final = {
    "ReadTimeoutError": "ReadTimeout",
    "ConnectTimeoutError": "ConnectTimeout",
    "SSLError": "SSLError",
    "ProxyError": "ProxyError",
}


def is_unsent(error: SendError) -> bool:
    """Return whether the receiver certainly got nothing of the request."""
    return error.cause in _UNSENT


def error_name(error: SendError) -> str:
    """Return under which name a failure is counted: `HTTP401`, `ConnectionError`, ..."""
    if error.status is not None:
        return f"HTTP{error.status}"
    return _NAMES.get(error.cause, "ConnectionError")


def request_error(error: SendError) -> SendError:
    """Return a failure without an answer as an exception of `requests` too."""
    kind = _kind(_NAMES.get(error.cause, "ConnectionError"))
    return kind(str(error), cause=error.cause)


def status_error(response: IngestResponse) -> SendError:
    """Return a refusal as an exception of `requests` too; its `response` is the answer."""
    status = response.status_code
    text = f"{status} answer of the service" + (f": {response.text[:300]}" if response.text else "")
    error = _kind("HTTPError")(text, status=status)
    error.response = response  # type: ignore[attr-defined]  # as `requests` has it
    return error


@lru_cache
def _kind(name: str) -> type[SendError]:
    try:
        from requests import exceptions
    except ImportError:
        base: type[Exception] = {
            "ReadTimeout": TimeoutError,
            "ConnectTimeout": TimeoutError,
            "HTTPError": OSError,
        }.get(name, ConnectionError)
    else:
        base = getattr(exceptions, name)
    return type(f"SignalFx{name.removesuffix('Error')}Error", (SendError, base), {})
