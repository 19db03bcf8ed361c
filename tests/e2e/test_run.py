"""`wf-instrument run`: whatever server, each request of a program that does not know us counts."""

from __future__ import annotations

import os
import re
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from loopback import LoopbackReceiver
from run_server import RunServer, Served, send, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

_GUNICORN: Final = "gunicorn --bind 127.0.0.1:PORT --graceful-timeout 10"
_UWSGI: Final = (
    "uwsgi --http-socket 127.0.0.1:PORT --master --processes 4 --enable-threads --need-app "
    # Otherwise workers that have a request end without Python's exit handlers.
    "--hook-master-start 'unix_signal:15 gracefully_kill_them_all' "
    f"-H {sys.prefix} --module flask_shop:app"
)
_MAX_REQUESTS: Final = 20
_ASYNC: Final = "uvicorn_worker.UvicornWorker"
_UVICORN: Final = "uvicorn --port PORT --log-level warning"

SERVERS: Final = [
    # One worker.
    "flask --app flask_shop run --port PORT",
    "python django_shop.py runserver --noreload PORT",
    f"{_GUNICORN} flask_shop:app",
    f"{_GUNICORN} django_shop:application",
    f"{_GUNICORN} --worker-class gthread --threads 2 flask_shop:app",
    f"{_GUNICORN} --worker-class gevent flask_shop:app",
    f"{_GUNICORN} --worker-class {_ASYNC} fastapi_shop:app",
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
    f"{_GUNICORN} --workers 4 --preload django_shop:application",
    f"{_GUNICORN} --workers 4 --threads 2 --preload flask_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class gthread --threads 2 django_shop:application",
    f"{_GUNICORN} --workers 4 --threads 2 --preload django_shop:application",
    f"{_GUNICORN} --workers 4 --worker-class gevent flask_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class gevent --preload flask_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class gevent django_shop:application",
    f"{_GUNICORN} --workers 4 --worker-class gevent --preload django_shop:application",
    f"{_GUNICORN} --workers 4 --worker-class {_ASYNC} starlette_shop:app",
    f"{_GUNICORN} --workers 4 --preload --worker-class {_ASYNC} starlette_shop:app",
    f"{_GUNICORN} --workers 4 --preload --worker-class {_ASYNC} django_shop:asgi_application",
    f"{_GUNICORN} --workers 4 --preload --worker-class {_ASYNC} fastapi_shop:app",
    _UWSGI,
    f"{_UWSGI} --lazy-apps",
    f"{_UVICORN} --workers 4 starlette_shop:app",
    f"{_UVICORN} --workers 4 fastapi_shop:app",
    f"{_UVICORN} --workers 4 django_shop:asgi_application",
    f"{_UVICORN} --workers 4 litestar_shop:app",
    f"{_GUNICORN} --workers 4 --worker-class {_ASYNC} quart_shop:app",
]

IDS: Final = [one.replace(sys.prefix, "").replace(" ", "_") for one in SERVERS]


def until_sigterm(folder: Path, command: str) -> Served:
    if "uwsgi" in command and not (Path(sys.executable).parent / "uwsgi").exists():
        pytest.skip("uWSGI is built where a C compiler is; install it to test with it")
    for package in ("gevent", "uvicorn_worker", "quart", "litestar"):
        if package in command and find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    with RunServer(command, folder) as server:
        if "--lazy-apps" in command:
            # A worker that is told to end while it loads ends the others at once.
            assert wait_until(lambda: server.log().count(" ready in ") == 4), server.log()
        sent = send(server.port, 20)
        server.end()
        return server.served(sent)


@pytest.mark.slow
@pytest.mark.side_by_side(run=until_sigterm)
@pytest.mark.parametrize("command", SERVERS, ids=IDS)
def test_nothing_is_missing_after_sigterm(command: str, outcome: Callable[[], Served]) -> None:
    served = outcome()
    assert served.recorded == served.sent, served.log


def with_a_worker_killed(folder: Path) -> Served:
    with RunServer(f"{_GUNICORN} --workers 4 flask_shop:app", folder) as server:
        sent = send(server.port, 20)
        # An interval later all of it is delivered, and the worker may go.
        assert wait_until(lambda: server.total() == sum(sent.values()))
        os.kill(min(server.workers()), signal.SIGKILL)
        sent += send(server.port, 20)
        server.end()
        return server.served(sent)


@pytest.mark.slow
@pytest.mark.side_by_side(run=with_a_worker_killed)
def test_a_killed_worker_loses_its_last_interval_at_most(outcome: Callable[[], Served]) -> None:
    served = outcome()
    assert served.recorded == served.sent, served.log


def with_workers_replaced(folder: Path) -> tuple[Served, set[int], str]:
    command = f"{_GUNICORN} --workers 2 --preload --max-requests {_MAX_REQUESTS} flask_shop:app"
    with LoopbackReceiver() as proxy:
        reporters = (
            f"file://{folder}/recorded.jsonl?interval=0.2",
            f"wavefront://127.0.0.1:{proxy.port}?interval=0.2&flush_interval=0.2",
        )
        env = {"WF_REPORTER": " ".join(reporters), "XDG_RUNTIME_DIR": str(folder)}
        with RunServer(command, folder, env=env) as server:
            sent = send(server.port, 24)
            server.end()
        return server.served(sent), server.workers(), "".join(proxy.lines())


@pytest.mark.slow
@pytest.mark.side_by_side(run=with_workers_replaced)
def test_workers_that_take_turns_keep_to_as_many_slots_as_run_at_one_time(
    outcome: Callable[[], tuple[Served, set[int], str]],
) -> None:
    served, workers, lines = outcome()
    assert served.recorded == served.sent, served.log
    assert len(workers) >= sum(served.sent.values()) / _MAX_REQUESTS > 2
    # The first slot has no tag.
    assert "inflight" in lines
    assert set(re.findall(r'"worker"="(\d+)"', lines)) <= {"1"}
