"""What `wf_instrument.instrument` takes for which kind of application, and what it refuses."""

from __future__ import annotations

import functools
import json
import threading
from typing import TYPE_CHECKING, Any

import fastapi
import flask
import litestar
import pytest
import quart
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from wf_instrument.integrations import django as our_django
from wf_instrument.integrations import fastapi as our_fastapi
from wf_instrument.integrations import flask as our_flask
from wf_instrument.integrations import litestar as our_litestar
from wf_instrument.integrations import quart as our_quart
from wf_instrument.integrations import starlette as our_starlette

import wf_instrument
from wf_instrument.errors import ConfigError
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def reporter() -> Iterator[RecordingReporter]:
    yield RecordingReporter()
    wf_instrument.shutdown(5)


def wsgi_function(environ: Any, start_response: Any) -> Any:
    return []


async def asgi_function(scope: Any, receive: Any, send: Any) -> None: ...


async def configured(colour: str, scope: Any, receive: Any, send: Any) -> None: ...


@functools.wraps(wsgi_function)
def wsgi_wrapper(*args: Any) -> Any:
    return wsgi_function(*args)


@functools.wraps(asgi_function)
async def asgi_wrapper(*args: Any, **kwargs: Any) -> None:
    await asgi_function(*args, **kwargs)


@functools.wraps(wsgi_function)
def asgi_around_wsgi(scope: Any, receive: Any, send: Any) -> Any: ...


class Applications:
    def wsgi(self, environ: Any, start_response: Any) -> Any:
        return []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class OfPep3333:
    def __init__(self, environ: Any, start_response: Any) -> None: ...


class Shop(flask.Flask):
    pass


# As of a program whose file is called so.
Shop.__module__ = "wsgi"


@pytest.mark.parametrize(
    ("app", "framework"),
    [
        pytest.param(wsgi_function, "wsgi", id="function"),
        pytest.param(asgi_function, "asgi", id="async-function"),
        pytest.param(Applications().wsgi, "wsgi", id="bound-method"),
        pytest.param(Applications(), "asgi", id="instance"),
        pytest.param(functools.partial(configured, "red"), "asgi", id="partial"),
        pytest.param(wsgi_wrapper, "wsgi", id="decorated"),
        pytest.param(asgi_wrapper, "asgi", id="decorated-async"),
        pytest.param(asgi_around_wsgi, "asgi", id="wrapper-of-another-interface"),
        pytest.param(OfPep3333, "wsgi", id="class-as-application"),
        pytest.param(GZipMiddleware(Starlette()), "asgi", id="middleware-of-a-framework"),
        pytest.param(fastapi.APIRouter(), "asgi", id="router"),
        pytest.param(Shop("shop"), "flask", id="subclass-in-a-file-called-wsgi"),
        pytest.param(fastapi.FastAPI(), "fastapi", id="fastapi"),
        pytest.param(Starlette(), "starlette", id="starlette"),
        pytest.param(quart.Quart("shop"), "quart", id="quart"),
        pytest.param(litestar.Litestar(), "litestar", id="litestar"),
    ],
)
def test_an_application_is_recognised(
    reporter: RecordingReporter, app: object, framework: str
) -> None:
    handle = wf_instrument.instrument(app, reporter=reporter)
    assert handle.framework == framework
    handle.uninstrument()
    assert handle.app is app


@pytest.mark.parametrize(
    ("app", "named"),
    [
        pytest.param(5, "builtins.int", id="number"),
        pytest.param("shop:app", "builtins.str", id="import-string"),
        pytest.param(flask.Flask, "the class flask.app.Flask", id="class"),
        pytest.param(flask.Blueprint("a", "b"), "flask.blueprints.Blueprint", id="blueprint"),
        pytest.param(lambda: None, "builtins.function", id="factory"),
    ],
)
def test_what_is_no_application_is_refused_by_name(app: object, named: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot instrument .*{named}; give an application"):
        wf_instrument.instrument(app)


def test_applications_with_equal_settings_report_together(folder: Path) -> None:
    target = folder / "out.jsonl"
    settings = {"service": "shop", "reporter": f"file://{target}"}
    for answers in (1, 3):
        app = our_flask.instrument_app(flask.Flask("shop"), **settings)
        for _ in range(answers):
            assert app.test_client().get("/nothing").data
    assert wf_instrument.flush(5)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert len({row["pid"] for row in rows}) == 1
    assert sum(row["count"] for row in rows if row["kind"] == "request") == 4
    threads = [one.name for one in threading.enumerate()]
    assert threads.count("wf-instrument-pipeline") == 1


@pytest.mark.parametrize(
    "integration",
    [our_django, our_fastapi, our_flask, our_litestar, our_quart, our_starlette],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
@pytest.mark.parametrize("app", [asgi_function, flask.Blueprint("a", "b"), None])
def test_an_integration_refuses_what_is_not_of_its_framework(integration: Any, app: object) -> None:
    assert not integration.is_application(app)
    with pytest.raises(
        ConfigError, match=f"cannot instrument {type(app).__qualname__!r} as .*give"
    ):
        integration.instrument_app(app)
