"""The page and its JSON: a Starlette application over one store.

Threads: answers are made in worker threads, since reading a store blocks; the reader gives each
    thread a connection of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from wf_instrument.dashboard.access import AccessControl
from wf_instrument.dashboard.payloads import WINDOWS_S, state, trace
from wf_instrument.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from starlette.requests import Request

    from wf_instrument.backends.local import StoreReader

__all__ = ["MAX_LISTENERS", "make_app"]

#: Live streams at a time; a further one is told to come back.
MAX_LISTENERS: Final = 32
_PUSH_EVERY_S: Final = 1.0
_KEEP_ALIVE_EVERY: Final = 15
_STATIC: Final = Path(__file__).with_name("static")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_NO_STORE: Final = {"Cache-Control": "no-store"}


def make_app(
    reader: StoreReader,
    *,
    hosts: Iterable[str],
    token: str | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> AccessControl:
    """Return the page's ASGI application.

    Args:
        reader: The store.
        hosts: Host names and addresses it may be asked for by.
        token: What visitors must show, None for nothing.
        is_stopping: Whether the server ends, which ends live streams.

    Raises:
        MissingExtraError: plotly, whose JavaScript the page uses, is not installed.
    """
    views = _Views(reader, is_stopping)
    plotly = plotly_script()

    async def plotly_js(request: Request) -> Response:
        return FileResponse(
            plotly, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"}
        )

    async def index(request: Request) -> Response:
        return FileResponse(_STATIC / "index.html", headers=_NO_STORE)

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/plotly.js", plotly_js),
            Route("/api/state", views.state),
            Route("/api/trace/{trace_id}", views.trace),
            Route("/api/live", views.live),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
    )
    return AccessControl(app, hosts, token)


def plotly_script() -> Path:
    """Return plotly's own bundle in the installed package, which is not imported for it.

    Raises:
        MissingExtraError: It is not installed.
    """
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "the page needs the package 'plotly', which is not installed; "
            "run: pip install 'wf-instrument[dashboard]'",
            name="plotly",
        )
    return Path(spec.origin).with_name("package_data") / "plotly.min.js"


class _Views:
    def __init__(self, reader: StoreReader, is_stopping: Callable[[], bool]) -> None:
        self._reader = reader
        self._is_stopping = is_stopping
        self._listeners = 0

    async def state(self, request: Request) -> Response:
        return JSONResponse(await self._state(request), headers=_NO_STORE)

    async def trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        if not _TRACE_ID.fullmatch(trace_id):
            return JSONResponse({"error": "a trace id has 32 hex digits"}, 404, _NO_STORE)
        found = await run_in_threadpool(trace, self._reader, trace_id)
        return JSONResponse(found, 200 if found["spans"] else 404, _NO_STORE)

    async def live(self, request: Request) -> Response:
        if self._listeners >= MAX_LISTENERS:
            return JSONResponse({"error": "too many listeners"}, 503, {"Retry-After": "5"})
        return StreamingResponse(
            self._events(request), media_type="text/event-stream", headers=_NO_STORE
        )

    async def _events(self, request: Request) -> AsyncIterator[str]:
        """Yield the state whenever the store has changed, and a comment now and then."""
        self._listeners += 1
        version, quiet = None, 0
        try:
            while not self._is_stopping() and not await request.is_disconnected():
                newest = await run_in_threadpool(_change_of, self._reader)
                if newest != version:
                    version, quiet = newest, 0
                    yield f"data: {json.dumps(await self._state(request))}\n\n"
                elif quiet >= _KEEP_ALIVE_EVERY:
                    quiet = 0
                    yield ": still here\n\n"
                quiet += 1
                await asyncio.sleep(_PUSH_EVERY_S)
        finally:
            self._listeners -= 1

    async def _state(self, request: Request) -> dict[str, object]:
        query = request.query_params
        window = query.get("window", "5m")
        return await run_in_threadpool(
            state,
            self._reader,
            window if window in WINDOWS_S else "5m",
            query.get("route"),
            query.get("method"),
        )


def _change_of(reader: StoreReader) -> tuple[int, int]:
    """Return what changes when the store does, whichever thread and connection asks."""
    files = (reader.path, reader.path.with_name(reader.path.name + "-wal"))
    sizes = [os.stat(file) for file in files if file.exists()]  # noqa: PTH116 - one call
    return sum(one.st_mtime_ns for one in sizes), sum(one.st_size for one in sizes)
