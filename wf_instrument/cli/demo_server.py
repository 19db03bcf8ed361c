"""The demo's server process: serves the instrumented application until it is told to end.

Run as `python -m wf_instrument.cli.demo_server`; `demo_process.py` says how the two talk. It drains
and ends on SIGTERM, or when its standard input ends.

Threads: those of the server, see `demo_werkzeug.py` and `demo_uvicorn.py`; `parent` waits for
    standard input.
Fork: none.
Loss: a request that was answered is recorded before the process ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import click

from wf_instrument.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["serve"]

_SHUTDOWN_TIMEOUT_S: Final = 10.0


def serve(framework: str, reporters: list[str]) -> None:
    """Serve the demo's application on a free port of 127.0.0.1, reporting to `reporters`.

    Raises:
        ConfigError: A reporter cannot be used.
        StoreError: A store cannot be written.
    """
    import wf_instrument

    app, start = _application(framework)
    # What would leave requests out is not left to the environment: the table is of all of them.
    wf_instrument.instrument(
        app,
        application="demo",
        service="shop",
        reporter=reporters,
        tick_s=0.5,
        enabled=True,
        metrics=True,
        excluded_urls=(),
        max_series=10_000,
    )
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    # Ctrl-C reaches the whole group; the parent decides when the server ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    port, finish = start(app)
    threading.Thread(target=_wait_for_parent, args=(done,), name="parent", daemon=True).start()
    _tell({"port": port})
    done.wait()
    finish()
    wf_instrument.shutdown(_SHUTDOWN_TIMEOUT_S)


def _application(framework: str) -> tuple[Any, Callable[[Any], tuple[int, Callable[[], None]]]]:
    """Return the shop of a framework, and what serves it."""
    if framework == "fastapi":
        from wf_instrument.cli.demo_fastapi import make_app as make_fastapi
        from wf_instrument.cli.demo_uvicorn import serve_with_uvicorn

        return make_fastapi(), serve_with_uvicorn
    from wf_instrument.cli.demo_flask import make_app
    from wf_instrument.cli.demo_werkzeug import serve_with_werkzeug

    app = make_app()
    # Flask would write a traceback to the terminal for every failure the demo means to have.
    app.logger.disabled = True
    return app, serve_with_werkzeug


def _wait_for_parent(done: threading.Event) -> None:
    """End when standard input does, which it does when the parent is gone."""
    # Not through `sys.stdin`: a thread that holds its lock aborts the interpreter's end.
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    done.set()


def _tell(answer: dict[str, object]) -> None:
    click.echo(json.dumps(answer))


if __name__ == "__main__":
    try:
        serve(**json.loads(sys.stdin.buffer.readline()))
    except (ConfigError, StoreError) as error:
        _tell({"error": str(error)})
        sys.exit(2)
