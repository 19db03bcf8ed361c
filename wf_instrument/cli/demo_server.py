"""The demo's server process: serves the instrumented application until it is told to end.

Run as `python -m wf_instrument.cli.demo_server URL...`; prints its port, serves, and drains on
SIGTERM or when its standard input closes.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading

import click

__all__ = ["serve"]


def serve(reporters: list[str]) -> None:
    """Serve the demo's application on a free port of 127.0.0.1, reporting to `reporters`."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    import wf_instrument
    from wf_instrument.cli.demo_app import make_app

    class KeepAliveHandler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *args: object) -> None:
            """Say nothing: the table at the end says it all."""

    app = make_app()
    # Flask would write a traceback to the terminal for every failure the demo means to have.
    app.logger.disabled = True
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    wf_instrument.instrument(
        app, application="demo", service="shop", reporter=reporters, tick_s=0.5
    )
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=KeepAliveHandler)
    # A browser keeps its connection open; the process must not wait for it.
    server.daemon_threads = True  # type: ignore[attr-defined]  # of socketserver's mix-in
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    # Ctrl-C reaches the whole group; the parent decides when the server ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    thread.start()
    click.echo(server.server_port)
    threading.Thread(target=_wait_for_parent, args=(done,), daemon=True).start()
    done.wait()
    server.shutdown()
    wf_instrument.shutdown(10)


def _wait_for_parent(done: threading.Event) -> None:
    """End when standard input does, which it does when the parent is gone."""
    sys.stdin.buffer.read()
    done.set()


if __name__ == "__main__":
    serve(sys.argv[1:])
