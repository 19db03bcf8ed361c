"""A request recorded from within, by the decorator of a view, where no driver wraps the app."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

import flask
from werkzeug.exceptions import HTTPException

from wf_instrument.guard import guard
from wf_instrument.tracing.propagation.environ import context_from_environ
from wf_instrument.web.request import RequestRecord
from wf_instrument.web.wsgi import REQUEST_KEY

if TYPE_CHECKING:
    from wf_instrument.web.recorder import Recorder
    from wf_instrument.web.series import RouteHandle

__all__ = ["ViewRequest"]

_ASKS_WITH_BLUEPRINTS: Final = (
    "blueprints" in inspect.signature(flask.Flask._find_error_handler).parameters  # noqa: SLF001 - as below
)


class ViewRequest(RequestRecord):
    """Begins with the view and ends when Flask has made the response of it."""

    def __init__(self, recorder: Recorder, request: flask.Request) -> None:
        if not recorder.pipeline.is_running:
            recorder.pipeline.start()
        environ = request.environ
        self._request = request
        self.begin(recorder, request.method)
        self.handle = self.resolve_handle()
        self.url_parts = (
            request.scheme,
            environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
            environ.get("SCRIPT_NAME", ""),
            environ.get("PATH_INFO", ""),
        )
        environ[REQUEST_KEY] = self

    def attach(self, app: flask.Flask) -> None:
        """Ask Flask to tell the response, which it does for handled errors as well."""

        @flask.after_this_request
        def note(response: flask.Response) -> flask.Response:
            with guard("flask.after_this_request"):
                self.status = response.status_code
                self.response_bytes = response.content_length or 0
                self._add_headers(response)
                self.finish()
            return response

    def _add_headers(self, response: flask.Response) -> None:
        extras = self.recorder.extras
        if extras is not None:
            headers = list(response.headers)
            for name, value in extras.answered(self, self._request.environ, headers)[
                len(headers) :
            ]:
                response.headers.add(name, value)

    def resolve_handle(self) -> RouteHandle:
        """Return the handle of the rule that led to the view."""
        environ = self._request.environ
        return self.recorder.handle(
            self._request.url_rule,
            self.method,
            environ.get("wsgi.url_scheme", "http"),
            environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
        )

    def begin_span(self) -> None:
        """Make the server span; the caller makes it the active one."""
        tracer = self.recorder.tracer
        if tracer is not None:
            environ = self._request.environ
            peer = environ.get("REMOTE_ADDR")
            parent = self.recorder.trust.parent(tracer, context_from_environ, environ, peer)
            self.span = tracer.start_request_span(self.method, parent, self.started_ns, self)
            if self.recorder.extras is not None:
                self.recorder.extras.begun_environ(self, environ)

    def view_raised(self, error: BaseException, app: flask.Flask) -> None:
        """Note an exception of the view; Flask may yet make a response of it."""
        if isinstance(error, HTTPException):
            return
        self.fail(error)
        propagates = app.config.get("PROPAGATE_EXCEPTIONS")
        if propagates is None:
            propagates = app.testing or app.debug
        handler = None
        if isinstance(error, Exception):
            handler = _handler_of(app, error)
        if propagates and handler is None:
            self.status = 500
            self.finish()


def _handler_of(app: flask.Flask, error: Exception) -> object | None:
    """Return the application's error handler for an exception; asking changes nothing."""
    find: Any = app._find_error_handler  # noqa: SLF001 - there is no public way to ask
    # Flask before 2.3 looks the blueprints up by itself.
    return find(error, flask.request.blueprints) if _ASKS_WITH_BLUEPRINTS else find(error)  # type: ignore[no-any-return]  # what was registered
