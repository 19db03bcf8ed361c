"""Quiet routes where no driver or no framework tells the route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
from starlette.responses import PlainTextResponse
from wf_instrument.integrations.asgi import instrument_app
from wf_instrument.integrations.flask import FlaskTracing
from wf_instrument.integrations.flask import instrument_app as instrument_flask

import wf_instrument
from asgi_server import fetch, served_asgi
from flask_site import served

if TYPE_CHECKING:
    from wf_instrument.testing import RecordingReporter


def test_an_application_without_routes_is_quiet_by_path(reporter: RecordingReporter) -> None:
    with served_asgi(instrument_app(PlainTextResponse("ok"), reporter=reporter)) as port:
        fetch(port, "/health")
        fetch(port, "/cart")
    assert wf_instrument.flush(5)
    assert [dict(span.tags)["http.url"].rpartition("/")[2] for span in reporter.spans] == ["cart"]
    assert reporter.count() == 2


def test_the_query_makes_no_other_path_of_it(reporter: RecordingReporter) -> None:
    app = instrument_flask(flask.Flask("site"), reporter=reporter, url_query=True)
    with served(app) as port:
        assert fetch(port, "/favicon.ico?v=2")[0] == 404
    assert wf_instrument.flush(5)
    assert reporter.spans == ()
    assert reporter.count() == 1


def test_a_decorated_view_without_a_driver_has_its_policy(reporter: RecordingReporter) -> None:
    tracing = FlaskTracing(reporter=reporter)
    app = flask.Flask("site")

    @app.route("/health")
    @app.route("/cart")
    @tracing.trace()
    @wf_instrument.observe(slo_ms=5)
    def cart() -> str:
        return "ok"

    with served(app) as port:
        fetch(port, "/health")
        fetch(port, "/cart")
    assert wf_instrument.flush(5)
    assert [dict(span.tags)["http.route"] for span in reporter.spans] == ["/cart"]
    assert reporter.count() == 2
