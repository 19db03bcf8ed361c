"""aiohttp's client: `install()` records each call of the sessions that are made from then on.

By its own seam, a `TraceConfig`. A call is recorded with its redirects as one, and lasts until the
headers of the last response are there.
"""

from __future__ import annotations

from typing import Any

from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard
from wf_instrument.outgoing import begin_call

try:
    import aiohttp
except ImportError as exc:
    raise MissingExtraError(
        "recording calls by aiohttp needs the package 'aiohttp', which is not installed; "
        "run: pip install aiohttp",
        name="aiohttp",
    ) from exc

from ._client import unwrap_method, wrap_method

__all__ = ["install", "uninstall"]


def install() -> None:
    """Record every call of sessions made from now on; harmless when called again."""
    wrap_method(aiohttp.ClientSession, "__init__", _watching)


def uninstall() -> None:
    """Watch no further session; harmless when called again."""
    unwrap_method(aiohttp.ClientSession, "__init__")


def _watching(init: Any) -> Any:
    def __init__(  # noqa: N807 - its name
        self: Any, *args: Any, trace_configs: Any = None, **kwargs: Any
    ) -> None:
        init(self, *args, trace_configs=[*(trace_configs or ()), _config()], **kwargs)

    return __init__


def _config() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_on_start)
    config.on_request_end.append(_on_end)
    config.on_request_exception.append(_on_exception)
    return config


async def _on_start(session: Any, context: Any, params: Any) -> None:
    with guard("aiohttp.start"):
        url = params.url
        call = begin_call(
            "aiohttp", params.method, url.scheme, url.host or "", url.port, url.raw_path_qs
        )
        context.wf_instrument_call = call
        if call is not None:
            call.inject(params.headers)


async def _on_end(session: Any, context: Any, params: Any) -> None:
    call = getattr(context, "wf_instrument_call", None)
    if call is not None:
        call.answered(params.response.status)


async def _on_exception(session: Any, context: Any, params: Any) -> None:
    call = getattr(context, "wf_instrument_call", None)
    if call is not None:
        call.failed(params.exception)
