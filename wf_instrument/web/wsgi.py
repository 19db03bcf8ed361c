"""The WSGI driver: wraps an application callable, records each request, changes nothing.

Threads: one request stays in the thread of the server that runs it, except that some servers
    close the response elsewhere; nothing here is shared between requests but the recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from time import perf_counter_ns as _now_ns
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, Final, cast

from wf_instrument.guard import caught, guard
from wf_instrument.speed import DriverState, link, shorten
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.tracing.propagation.environ import context_from_environ
from wf_instrument.web.current import SPANLESS, asgi_drivers, is_serving
from wf_instrument.web.request import RequestRecord, parse_request_start
from wf_instrument.web.wsgi_in_asgi import request_around, serve_charged
from wf_instrument.web.wsgi_input import CountedInput

if TYPE_CHECKING:
    from wf_instrument.web.asgi import AsgiRequest
    from wf_instrument.web.current import Serving
    from wf_instrument.web.recorder import Recorder
    from wf_instrument.web.series import RouteHandle

__all__ = ["REQUEST_KEY", "RouteOf", "WsgiRequest", "WsgiTelemetry"]

#: Under this key of the environ stands the record of the request.
REQUEST_KEY: Final = "wf_instrument.request"

#: One call of C for what a span tells of the URL.
_URL_PARTS: Final = itemgetter("wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME", "PATH_INFO")

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Callable[[bytes], object]]
WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

#: Finds the framework's route object in the environ; None while or when there is none.
RouteOf = Callable[[Environ], "object | None"]


class WsgiTelemetry(DriverState):
    """A WSGI application that records the requests of another one.

    Args:
        app: The application to see.
        recorder: Where requests are recorded.
        route_of: Asks the framework for the route object of a request.
        traces_all: Whether every request gets a span.

    Attributes:
        is_on: Whether requests are recorded.
    """

    app: WsgiApplication

    def __init__(
        self,
        app: WsgiApplication,
        recorder: Recorder,
        route_of: RouteOf,
        *,
        traces_all: bool = True,
    ) -> None:
        self.app = app
        self.recorder = recorder
        self.route_of = route_of
        self.tracer = recorder.tracer if traces_all else None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request through the application."""
        if REQUEST_KEY in environ:
            return self._serve_inner(environ, start_response)
        if asgi_drivers and self.is_on:
            around = request_around(environ)
            if around is not None:
                return self._serve_in_asgi(environ, start_response, around)
        request = self._begin(environ, start_response)
        if request is None:
            return self.app(environ, start_response)
        span = request.span
        # Put back by value, which costs less than by token.
        before: Any = SPANLESS.get() if span is None else ACTIVE.get()
        try:
            if span is None:
                SPANLESS.set(request)
            else:
                ACTIVE.set(span)
            body = self.app(environ, request.start_response)
        except BaseException as error:
            with guard("wsgi.escaped"):
                request.escaped(error)
            request.finish()
            if span is None:
                request.leave(before)
            else:
                ACTIVE.set(before)
            request.let_go()
            raise
        if span is None:
            request.leave(before)
        else:
            ACTIVE.set(before)
        return request.response(body)

    def _begin(self, environ: Environ, start_response: StartResponse) -> WsgiRequest | None:
        """Return the record of the request, None for one that is not to be recorded."""
        try:
            recorder = self.recorder
            if not self.is_on or (
                recorder.excluded is not None
                and recorder.excluded.search(environ.get("PATH_INFO", ""))
            ):
                return None
            if not recorder.is_reporting:
                recorder.start_reporting()
            request = WsgiRequest()
            request.driver = self
            request.server_start = start_response
            request.environ = environ
            request.begin(recorder, environ.get("REQUEST_METHOD", ""))
            environ[REQUEST_KEY] = request
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("wsgi.begin", error)
            return None
        try:
            if not environ.keys().isdisjoint(recorder.noted_keys):
                request.note_environ(environ)
            tracer = self.tracer
            if tracer is not None and request.span is None:
                request.span = tracer.start_root(request.method, request.started_ns, request)
                if recorder.extras is not None:
                    recorder.extras.begun_environ(request, environ)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("wsgi.begin", error)
        return request

    def _serve_in_asgi(
        self, environ: Environ, start_response: StartResponse, around: AsgiRequest
    ) -> Iterable[bytes]:
        """Serve within a request that the ASGI driver records: name its route, in its thread."""
        try:
            around.note_mount(around.scope)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("wsgi.in_asgi", error)
        environ[REQUEST_KEY] = around
        return serve_charged(self._serve_inner, environ, start_response, around)

    def _serve_inner(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve within a request that an outer layer records: only name its route."""
        outer = environ[REQUEST_KEY]
        if outer.is_finished:
            # The outer request is over, and its environ was kept and used again.
            del environ[REQUEST_KEY]
            return self(environ, start_response)

        def start(status: str, headers: Headers, *exc_info: Any) -> Callable[[bytes], object]:
            try:
                outer.name_route(self.recorder, self.route_of(environ))
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("wsgi.inner", error)
            return start_response(status, headers, *exc_info)

        return self.app(environ, start)


class WsgiRequest(RequestRecord):
    """One request; also the `start_response` the application calls, and the body it returns."""

    __slots__ = ()

    driver: WsgiTelemetry

    # Made without arguments, and set up by the driver: see `WsgiTelemetry._begin`.

    def note_environ(self, environ: Environ) -> None:
        """Note what only some requests have: a wait before us, a body, a caller's trace."""
        try:
            if "HTTP_X_REQUEST_START" in environ:
                self.queued_ns = parse_request_start(
                    environ["HTTP_X_REQUEST_START"], self.started_ns
                )
            if environ.get("CONTENT_LENGTH", "0") not in {"", "0"} or (
                "HTTP_TRANSFER_ENCODING" in environ
            ):
                environ["wsgi.input"] = CountedInput(environ["wsgi.input"], self)
            if self.driver.tracer is not None:
                self.begin_span()
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("wsgi.begin", error)

    def begin_span(self) -> None:
        """Make the server span; the caller makes it the active one."""
        tracer, environ = self.recorder.tracer, self.environ
        if tracer is None or environ is None:
            return
        parent = None
        if not environ.keys().isdisjoint(tracer.registry.environ_keys):
            peer = environ.get("REMOTE_ADDR")
            parent = self.recorder.trust.parent(tracer, context_from_environ, environ, peer)
        self.span = tracer.start_request_span(self.method, parent, self.started_ns, self)
        if self.recorder.extras is not None:
            self.recorder.extras.begun_environ(self, environ)

    def start_response(
        self,
        status: str,
        headers: Headers,
        *exc_info: Any,
    ) -> Callable[[bytes], object]:
        """Note status and route, then let the server begin the response."""
        try:
            self.status = int(status[:3])
            self.headers = headers
            if not self.first_byte_ns:
                self.first_byte_ns = _now_ns()
            if self.handle is None:
                # While the framework still knows it.
                self.handle = self.resolve_handle()
            extras = self.recorder.extras
            if extras is not None:
                headers = extras.answered(self, self.environ, headers)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("wsgi.start_response", error)
        self._server_write = self.server_start(status, headers, *exc_info)
        return self.write

    def write(self, data: bytes) -> object:
        """Pass on what an application writes in the old way, and count it."""
        self.response_bytes += len(data)
        return self._server_write(data)

    def resolve_handle(self) -> RouteHandle:
        """Ask the framework for the route."""
        environ = self.environ
        if environ is None:
            return self.recorder.handle(None, self.method, "http", "HTTP/1.1")
        return self.recorder.handle(
            self.driver.route_of(environ),
            self.method,
            environ.get("wsgi.url_scheme", "http"),
            environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
        )

    def peek_handle(self) -> RouteHandle | None:
        """Return the handle of a request whose view may still run."""
        if self.handle is not None:
            return self.handle
        environ = self.environ
        route = None if environ is None else self.driver.route_of(environ)
        if environ is None or route is None:
            return None
        return self.recorder.peek(
            route,
            self.method,
            environ.get("wsgi.url_scheme", "http"),
            environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
        )

    def name_route(self, recorder: Recorder, route_object: object | None) -> None:
        """Take the name from a layer further in, which knows the route better."""
        environ = self.environ
        if environ is not None and route_object is not None:
            self.handle = recorder.handle(
                route_object,
                self.method,
                environ.get("wsgi.url_scheme", "http"),
                environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            )

    def response(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return what the server is given: the body itself where a server looks at its type."""
        try:
            kind = type(body)
            if kind is list or kind is tuple:
                self.response_bytes += sum(map(len, body))
                self.finish()
                self.let_go()
                return body
            environ = self.environ
            if environ is not None and kind is environ.get("wsgi.file_wrapper"):
                # The server may send the file by itself; it must recognise its own wrapper.
                self.response_bytes += self._content_length() or 0
                self.finish()
                self.let_go()
                return body
            self._body = body
            return _SizedBody(self) if hasattr(kind, "__len__") else self
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("wsgi.response", error)
            self.finish()
            return body

    def __iter__(self) -> Iterator[bytes]:
        # A generator: a server's loop resumes it without a call of Python's.
        span = self.span
        if span is None:
            yield from self._without_span()
            return
        before = ACTIVE.get()
        try:
            ACTIVE.set(span)
            for chunk in self._body:
                # The server's own work between two chunks is not the request's.
                ACTIVE.set(before)
                self.response_bytes += len(chunk)
                yield chunk
                if not self.is_finished:
                    ACTIVE.set(span)
        except GeneratorExit:
            raise
        except BaseException as error:
            with guard("wsgi.escaped"):
                self.escaped(error, "aborted_stream")
            self.finish()
            raise
        finally:
            if ACTIVE.get() is span:
                ACTIVE.set(before)
        self.finish()

    def _without_span(self) -> Iterator[bytes]:
        outer = SPANLESS.get()
        try:
            # Once for all chunks: what servers do between them asks for no request.
            if outer is not self:
                SPANLESS.set(self)
            for chunk in self._body:
                self.response_bytes += len(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            with guard("wsgi.escaped"):
                self.escaped(error, "aborted_stream")
            self.finish()
            raise
        finally:
            self.leave(outer)
        self.finish()

    def leave(self, outer: Serving | None) -> None:
        """Make the request current again that this one, without a span, was served within."""
        # An exception would keep alive what its frames hold.
        if self.error is not None or (outer is not self and is_serving(outer)):
            SPANLESS.set(None if outer is self else outer)

    def close(self) -> None:
        """Close the application's body; a body not read to its end was left by the client."""
        if not self.is_finished:
            with guard("wsgi.close"):
                expected = self._content_length()
                if expected is None or self.response_bytes < expected:
                    self.outcome = self.outcome or "client_disconnect"
            self.finish()
        body = self._body
        # The span keeps this object until the next drain; the response need not wait for it.
        self._body, self.headers = (), None
        try:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Let go of what refers back to this record: only a garbage collection would free both."""
        self.span = None
        self.server_start = self._server_write = _gone

    def escaped(self, error: BaseException, outcome: str = "server_error") -> None:
        """Record a request that ended with an exception out of the application."""
        left = isinstance(error, GeneratorExit)
        if left:
            self.outcome = "client_disconnect"
        elif outcome == "aborted_stream":
            self.fail(error, "aborted_stream")
        else:
            self.fail(error)
            # Whatever was announced, the server answers an exception with a 500.
            self.status = 500
        self.finish()

    def finish(self) -> None:
        """Record the request and let go of the environ, which may not outlive it."""
        environ = self.environ
        # Only spans, unmatched paths and log lines tell the URL.
        if environ is not None and (
            self.span is not None or self.status == 404 or self.recorder.extras is not None
        ):
            try:
                self.url_parts = _URL_PARTS(environ)
            except KeyError:  # HTTP/1.0 without a Host, or an environ made by hand
                self.url_parts = (
                    environ.get("wsgi.url_scheme", "http"),
                    environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
                    environ.get("SCRIPT_NAME", ""),
                    environ.get("PATH_INFO", ""),
                )
            if self.recorder.keeps_query and environ.get("QUERY_STRING"):
                self.url_parts = (
                    *self.url_parts[:3],
                    f"{self.url_parts[3]}?{environ['QUERY_STRING']}",
                )
        RequestRecord.finish(self)  # by name, which costs less than `super()`
        self.environ = None

    def _content_length(self) -> int | None:
        for name, value in self.headers or ():
            if name.lower() == "content-length":
                return int(value) if value.isdecimal() else None
        return None


def _gone(*_: object) -> Any:
    """Stand in for what a server gave for a request that is over."""
    raise RuntimeError("the response of this request has ended")


class _SizedBody:
    """A body whose length a server may ask for, as WSGI allows."""

    def __init__(self, request: WsgiRequest) -> None:
        self._request = request

    def __len__(self) -> int:
        return len(cast("list[bytes]", self._request._body))  # noqa: SLF001 - of this module

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._request)

    def close(self) -> None:
        self._request.close()


link(
    asgi_drivers=asgi_drivers,
    gone=_gone,
    sized_body=_SizedBody,
    spanless=SPANLESS,
    thread_time_ns=thread_time_ns,
    wsgi_request=WsgiRequest,
)
shorten(WsgiTelemetry, __call__="wsgi_serve")
shorten(
    WsgiRequest,
    __iter__="wsgi_iter",
    close="wsgi_close",
    finish="wsgi_finish",
    start_response="wsgi_start_response",
)
