"""The applications that `server_throughput.py` has gunicorn and uvicorn serve: two in one process.

`BENCH_VARIANT` says how the second one is wrapped; `BENCH_FRAMEWORK` which framework both are of.
The query `?own` asks the second one, `?any` the bare one, none either of them in turns, and
`?figures` what those in turns took, since it was asked last.
"""

from __future__ import annotations

import json
import os
from typing import Any

from alternating import Alternating
from overhead_apps import WSGI
from overhead_variants import VARIANTS

_FRAMEWORK = os.environ["BENCH_FRAMEWORK"]
_bare = VARIANTS["bare"](_FRAMEWORK).app
_own = VARIANTS[os.environ["BENCH_VARIANT"]](_FRAMEWORK).app
_both = Alternating(_bare, _own)
_TYPE = "application/json"


def _figures() -> bytes:
    try:
        figures = _both.figures()
    except ZeroDivisionError:
        figures = None  # too few requests for a pair of blocks
    _both.forget()
    return json.dumps(figures).encode()


def _wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    query = environ["QUERY_STRING"]
    if not query:
        return _both.wsgi(environ, start_response)
    if query == "figures":
        start_response("200 OK", [("Content-Type", _TYPE)])
        return [_figures()]
    return (_own if query == "own" else _bare)(environ, start_response)


def _asgi(scope: Any, receive: Any, send: Any) -> Any:
    query = scope["query_string"]
    if not query:
        return _both.asgi(scope, receive, send)
    if query == b"figures":
        return _tell(send)
    return (_own if query == b"own" else _bare)(scope, receive, send)


async def _tell(send: Any) -> None:
    headers = [(b"content-type", _TYPE.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _figures()})


app = _wsgi if _FRAMEWORK in WSGI else _asgi
