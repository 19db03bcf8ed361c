"""`wf-instrument run`: whatever server, each request of a program that does not know us counts."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from run_server import RunServer, recorded, send, wait_until

_GUNICORN: Final = "gunicorn --bind 127.0.0.1:PORT --graceful-timeout 10"
_UWSGI: Final = (
    "uwsgi --http-socket 127.0.0.1:PORT --master --processes 4 --enable-threads --die-on-term "
    f"--need-app -H {sys.prefix}"
)
_ASYNC: Final = "uvicorn_worker.UvicornWorker"
_UVICORN: Final = "uvicorn --port PORT --log-level warning"

SERVERS: Final = [
    # One worker.
    "flask --app flask_shop run --port PORT",
    "python django_shop.py runserver --noreload PORT",
    f"{_GUNICORN} flask_shop:app",
    f"{_GUNICORN} django_shop:application",
    f"{_UVICORN} starlette_shop:app",
    f"{_UVICORN} fastapi_shop:app",
    f"{_UVICORN} --lifespan off fastapi_shop:app",
    f"{_UVICORN} django_shop:asgi_application",
    "hypercorn --bind 127.0.0.1:PORT starlette_shop:app",
    "hypercorn --bind 127.0.0.1:PORT quart_shop:app",
    f"{_UVICORN} quart_shop:app",
    "hypercorn --bind 127.0.0.1:PORT litestar_shop:app",
    f"{_UVICORN} litestar_shop:app",
    # Four.
    f"{_GUNICORN} --workers 4 flask_shop:app",
    f"{_GUNICORN} --workers 4 --preload flask_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class gthread --threads 2 django_shop:application",
    f"{_GUNICORN} --workers 4 --threads 2 --preload django_shop:application",
    f"{_GUNICORN} --workers 4 --worker-class gevent flask_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class gevent --preload flask_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class gevent django_shop:application",
    f"{_GUNICORN} --workers 4 --worker-class {_ASYNC} starlette_shop:app",
    f"{_GUNICORN} --workers 4 --preload --worker-class {_ASYNC} fastapi_shop:app",
    f"{_UWSGI} --module flask_shop:app",
    f"{_UVICORN} --workers 4 starlette_shop:app",
    f"{_UVICORN} --workers 4 fastapi_shop:app",
    f"{_UVICORN} --workers 4 django_shop:asgi_application",
    f"{_UVICORN} --workers 4 litestar_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class {_ASYNC} quart_shop:app",
]

IDS: Final = [one.replace(sys.prefix, "").replace(" ", "_") for one in SERVERS]


@pytest.mark.slow
@pytest.mark.parametrize("command", SERVERS, ids=IDS)
def test_nothing_is_missing_after_sigterm(command: str, tmp_path: Path) -> None:
    if "gevent" in command:
        pytest.importorskip("gevent")
    if "uwsgi" in command and not (Path(sys.executable).parent / "uwsgi").exists():
        pytest.skip("uWSGI is built where a C compiler is; install it to test with it")
    for package in ("uvicorn_worker", "quart", "litestar"):
        if package in command:
            pytest.importorskip(package)
    with RunServer(command, tmp_path) as server:
        sent = send(server.port, 20)
        server.end()
        assert recorded(server.file) == sent, server.log()


@pytest.mark.slow
def test_a_killed_worker_loses_its_last_interval_at_most(tmp_path: Path) -> None:
    with RunServer(f"{_GUNICORN} --workers 4 flask_shop:app", tmp_path) as server:
        sent = send(server.port, 20)
        # An interval later all of it is delivered, and the worker may go.
        assert wait_until(lambda: server.total() == sum(sent.values()))
        os.kill(min(server.workers()), signal.SIGKILL)
        sent += send(server.port, 20)
        server.end()
        assert recorded(server.file) == sent
