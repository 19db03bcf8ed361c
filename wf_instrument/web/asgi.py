"""The ASGI driver: wraps an application, records each request, changes nothing.

Threads: a request stays in its event loop's thread; nothing here is shared between requests but
    the recorder.
Tasks: frameworks may send and receive in tasks of their own; of these only one runs at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from operator import itemgetter
from time import perf_counter_ns as _now_ns
from time import thread_time_ns
from time import time_ns as _wall_ns
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.guard import caught, guard
from wf_instrument.speed import DriverState, link, replace, shorten
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.web.current import SPANLESS, Held, asgi_drivers, is_serving
from wf_instrument.web.request import RequestRecord, parse_request_start
from wf_instrument.web.series import ABSENT
from wf_instrument.web.steps import as_coroutine, stepped

if TYPE_CHECKING:
    from wf_instrument.tracing.span_context import WavefrontSpanContext
    from wf_instrument.tracing.tracer import WavefrontTracer
    from wf_instrument.web.recorder import Recorder
    from wf_instrument.web.series import RouteHandle

__all__ = ["REQUEST_KEY", "AsgiApplication", "AsgiRequest", "AsgiTelemetry", "Scope"]

#: Under this key of the scope stands the record of the request.
REQUEST_KEY: Final = "wf_instrument.request"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[Any]]

#: Finds the framework's route object in the scope; None while or when there is none.
RouteOf = Callable[[Scope], "object | None"]

#: The name of a header, which ASGI gives as a pair.
_NAME: Final = itemgetter(0)

#: A response without background tasks unwinds in some ten microseconds.
_MIN_BACKGROUND_NS: Final = 1_000_000


class AsgiTelemetry(DriverState):
    """An ASGI application that records the requests of another one.

    Args:
        app: The application to see.
        recorder: Where requests are recorded.
        route_of: Asks the framework for the route object of a request.
        traces_all: Whether every request gets a span.
        mount_of: Asks the framework for the mount that led to a layer further in; not needed where
            mounts note themselves in `AsgiRequest.mounts`.

    Attributes:
        is_on: Whether requests are recorded.
    """

    app: AsgiApplication

    def __init__(
        self,
        app: AsgiApplication,
        recorder: Recorder,
        route_of: RouteOf,
        *,
        traces_all: bool = True,
        mount_of: RouteOf | None = None,
    ) -> None:
        self.app = app
        self.recorder = recorder
        self.route_of = route_of
        self.mount_of = mount_of
        self.traces_all = traces_all
        if not asgi_drivers:
            asgi_drivers.append(True)

    def asgi_serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None] | None:
        """Return what serves an ordinary HTTP request by short cuts; None where there are none."""

    async def serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is neither an HTTP request nor a WebSocket."""
        await self.app(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or whatever else the server asks for, through the application."""
        kind = scope["type"]
        if kind == "http" and self.is_on:
            request = self._begin(AsgiRequest, scope, receive, send)
        elif kind == "websocket" and self.is_on:
            # Imported by the first one: most applications have none, and it builds on this module.
            from wf_instrument.web.websocket import WebSocketRecord

            request = self._begin(WebSocketRecord, scope, receive, send)
        else:
            await self.serve_other(scope, receive, send)
            return
        if request is None:
            await self.app(scope, receive, send)
            return
        held = Held(request) if request.span is None else None
        # Put back by value: the server may close us in another context, which refuses tokens.
        variable: Any = SPANLESS if request.span is None else ACTIVE
        before = variable.get()
        variable.set(held or request.span)
        try:
            called = self.app(scope, request.receive, request.send)
            if request.recorder.cpu_clock is None:
                await called
            else:
                # Nearly always one already; see `as_coroutine`.
                coroutine = called if type(called) is CoroutineType else as_coroutine(called)
                await stepped(coroutine, request, is_begun=True)
        except BaseException as error:
            with guard("asgi.escaped"):
                request.escaped(error)
            raise
        finally:
            if request.span is not None or is_serving(before):
                variable.set(before)
            if held is not None:
                held.served_request = None
            request.returned()

    def _begin(
        self, record: type[AsgiRequest], scope: Scope, receive: Receive, send: Send
    ) -> AsgiRequest | None:
        """Return the record of the request, None for one that is not to be recorded here."""
        try:
            # `in` and an index, here and below: `get` is a call of a function.
            if REQUEST_KEY in scope and not scope[REQUEST_KEY].is_finished:
                # An outer layer records it; the one further in knows the route better.
                scope[REQUEST_KEY].name_by(self, scope)
                return None
            excluded = self.recorder.excluded
            if excluded is not None and excluded.search(scope["path"]):
                return None
            return record(self, scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("asgi.begin", error)
            return None


class AsgiRequest(RequestRecord):
    """One request; also the `receive` and `send` that the application is given.

    Attributes:
        mounts: What the framework went through on its way to the view, outermost first.
        served: The framework's own request while it handles one that the scope does not tell of.
        is_websocket: Whether it is a WebSocket connection.
    """

    __slots__ = ()

    is_websocket: bool = False
    driver: AsgiTelemetry
    scope: Scope | None
    _receive: Receive
    _send: Send

    # Past thirty attributes a Python object loses its compact form: few are set a request.
    def __init__(self, driver: AsgiTelemetry, scope: Scope, receive: Receive, send: Send) -> None:
        recorder = driver.recorder
        if not recorder.is_reporting:
            recorder.start_reporting()
        self.driver = driver
        self._receive = receive
        self._send = send
        self.scope = scope
        headers: Any = scope["headers"]
        # Kept apart: frameworks change the scope on the way, and it may not outlive the request.
        self._path = scope["path"]
        self._root = scope["root_path"] if "root_path" in scope else ""
        self._asked_headers = headers
        if recorder.keeps_query and scope.get("query_string"):
            self._query = f"?{scope['query_string'].decode('latin-1')}"
        self._scheme = scope["scheme"] if "scheme" in scope else "http"
        self.recorder = recorder
        # A handshake has no method of its own; it is a GET.
        self.method = method = scope["method"] if "method" in scope else "GET"
        self.started_ns = started_ns = _wall_ns()
        if recorder.cpu_clock is not None:
            self.step_cpu_ns = thread_time_ns()
        self.started_mono_ns = self.step_ns = _now_ns()
        if recorder.metrics:
            # From here on a drain in another thread may look at it.
            live: set[Any] = recorder.websockets.live if self.is_websocket else recorder.live
            live.add(self)
        try:
            scope[REQUEST_KEY] = self
            if not recorder.noted_headers.isdisjoint(map(_NAME, headers)):
                self._note_headers(scope, traces_all=driver.traces_all)
            elif recorder.tracer is not None and driver.traces_all:
                self.span = recorder.tracer.start_root(method, started_ns, self)
            if recorder.extras is not None and self.span is not None:
                recorder.extras.begun_scope(self, scope)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("asgi.begin", error)

    def _note_headers(self, scope: Scope, *, traces_all: bool) -> None:
        """Note what only some requests have: a wait before us, a caller's trace."""
        recorder, headers = self.recorder, self._asked_headers
        names = frozenset(map(_NAME, headers))
        if b"x-request-start" in names:
            self._note_queue()
        tracer = recorder.tracer
        if tracer is None or not traces_all:
            return
        parent = None
        if not tracer.registry.header_names.isdisjoint(names):
            peer = scope.get("client")
            parent = recorder.trust.parent(tracer, _extracted, headers, peer[0] if peer else None)
        self.span = tracer.start_request_span(self.method, parent, self.started_ns, self)

    def _note_queue(self) -> None:
        stamp = dict(self._asked_headers)[b"x-request-start"].decode("latin-1")
        self.queued_ns = parse_request_start(stamp, self.started_ns)

    async def receive(self) -> Message:
        """Pass on what the client sends, and count it."""
        message = await self._receive()
        try:
            kind = message["type"]
            if kind == "http.request":
                self.request_bytes += len(message.get("body", b""))
            elif kind == "http.disconnect" and not self.is_finished and not self._is_ending():
                # Servers also say so of a client that has all it asked for, some of them while
                # they are still taking the last byte.
                self._has_left = True
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("asgi.receive", error)
        return message

    async def send(self, message: Message) -> None:
        """Pass on what the application answers; note status, size and end."""
        ends = False
        try:
            kind = message["type"]
            if kind == "http.response.start":
                self.started(message)
                if self.recorder.extras is not None:
                    message = self.recorder.extras.answered_message(self, self.scope, message)
            elif kind == "http.response.body":
                if "body" in message and message["body"]:
                    self.response_bytes += len(message["body"])
                ends = "more_body" not in message or not message["more_body"]
            else:
                ends = self._sent_otherwise(kind, message)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("asgi.send", error)
        if ends:
            self._response_headers = None  # see `_is_ending`
            if self.method == "HEAD":
                self.response_bytes = 0  # servers keep such a body to themselves
        try:
            await self._send(message)
        except OSError:
            # Source: ASGI, "HTTP & WebSocket ASGI Message Format", "Disconnected Client".
            self._has_left = True
            raise
        if ends:
            if self._has_left:
                self.outcome = "client_disconnect"
            self.finish()

    def _sent_otherwise(self, kind: str, message: Mapping[str, Any]) -> bool:
        """Note a body that the server takes from a file; return whether the response ends."""
        if kind == "http.response.pathsend":
            self.response_bytes += _content_length(self._response_headers)
            return True
        if kind == "http.response.zerocopysend":
            self.response_bytes += message.get("count") or 0
            return not message.get("more_body")
        return False

    def _is_ending(self) -> bool:
        """Return whether the server was given the last byte; told without one more attribute."""
        return self._response_headers is None

    def started(self, message: Mapping[str, Any]) -> None:
        """Note status and route, while the framework still knows it."""
        self.first_byte_ns = _now_ns()
        self.status = status = message["status"]
        self._response_headers = message["headers"] if "headers" in message else ()
        if status >= 500:
            # The error page is made while the framework handles the exception.
            error = sys.exc_info()[1]
            if isinstance(error, Exception):
                self.fail(error)
        if self.handle is None:
            self.handle = self.resolve_handle()

    def name_by(self, driver: AsgiTelemetry, scope: Scope) -> None:
        """Take the route's name from a layer further in, which knows it better."""
        self.note_mount(scope)
        self.driver = driver
        self.scope = scope

    def note_mount(self, scope: Scope | None) -> None:
        """Note the mount that led to a layer further in, where mounts do not by themselves."""
        mount_of = self.driver.mount_of
        mount = None if mount_of is None or scope is None else mount_of(scope)
        if mount is not None:
            self.mounts = (*self.mounts, mount)

    def name_route(self, recorder: Recorder, route_object: object | None) -> None:
        """Take the name from a WSGI layer further in, which knows the route better."""
        scope = self.scope
        protocol = "1.1" if scope is None else scope.get("http_version", "1.1")
        self.handle = recorder.handle(route_object, self.method, self._scheme, protocol)

    def resolve_handle(self) -> RouteHandle:
        """Ask the framework for the route."""
        driver, scope = self.driver, self.scope
        if scope is None:
            return driver.recorder.handle(None, self.method, self._scheme, "1.1")
        protocol = scope["http_version"] if "http_version" in scope else "1.1"
        return driver.recorder.handle(driver.route_of(scope), self.method, self._scheme, protocol)

    def peek_handle(self) -> RouteHandle | None:
        """Return the handle of a request whose view may still run."""
        if self.handle is not None:
            return self.handle
        scope = self.scope
        driver = self.driver
        route = None if scope is None else driver.route_of(scope)
        if scope is None or route is None:
            return None
        protocol = scope.get("http_version", "1.1")
        return driver.recorder.peek(route, self.method, self._scheme, protocol)

    def escaped(self, error: BaseException) -> None:
        """Note an exception that left the application."""
        if self.is_finished:
            return
        is_cancelled = not isinstance(error, Exception)
        if self._has_left:
            self.outcome = "client_disconnect"
        elif is_cancelled and self._is_ending():
            pass  # the server had the last byte
        elif is_cancelled:
            self.outcome = "cancelled"
            self.error = error
        elif self.status:
            self.fail(error, "aborted_stream")
        else:
            self.fail(error)
            # Servers answer an exception with a 500.
            self.status = 500
        self.finish()

    def returned(self) -> None:
        """Note that the application is done, background tasks included. Never raises."""
        try:
            if not self.is_finished:
                self._end_incomplete()
            # It may not outlive the request, which is kept until the next drain. What refers back
            # to this record would be freed by a garbage collection alone.
            if self.scope is not None and REQUEST_KEY in self.scope:
                del self.scope[REQUEST_KEY]
            self.scope = self.span = None
            cell = self.cell
            if cell is None:
                return
            # What follows an exception is unwinding, no background task.
            background_ns = 0 if self.error is not None else _now_ns() - self.ended_mono_ns
            is_blocking = self.longest_step_ns > self.recorder.loop_block_ns
            if is_blocking:
                cell.blocked_ns.append(self.longest_step_ns)
            if background_ns > _MIN_BACKGROUND_NS:
                cell.background_ns.append(background_ns)
            elif not is_blocking:
                return
            self.recorder.list_cell(cell)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("asgi.returned", error)
            self.finish()

    def _end_incomplete(self) -> None:
        """Record a request whose application returned before the end of the response."""
        if self._has_left:
            self.outcome = "client_disconnect"
        elif self._is_ending():
            pass  # the server had the last byte
        elif self.status:
            self.outcome = self.outcome or "aborted_stream"
        else:
            # Servers answer for an application that does not.
            self.status, self.outcome = 500, "server_error"
        self.finish()

    def _cpu_ns(self) -> int:
        if self.recorder.cpu_clock is None:
            return ABSENT
        own_ns = self.cpu_ns + self.extra_cpu_ns
        if self.is_stepping:
            own_ns += thread_time_ns() - self.step_cpu_ns
        parts = self.thread_cpu_ns
        return own_ns if parts is None else own_ns + sum(parts)

    def path(self) -> str:
        """Return the path that was asked for."""
        return self._path

    def url(self) -> str:
        """Return the URL that was asked for, with the query if settings allow."""
        host = dict(self._asked_headers).get(b"host", b"").decode("latin-1")
        return f"{self._scheme}://{host}{self.target()}"

    def target(self) -> str:
        """Return root and path, with the query if settings allow."""
        if self.known_target is not None:
            return self.known_target
        path, root = self._path, self._root
        # Older servers leave the root path out of the path.
        root = "" if path.startswith(root) else root
        return f"{root}{path}{self._query or ''}"


def _extracted(tracer: WavefrontTracer, headers: Any) -> WavefrontSpanContext | None:
    return tracer.extract_headers(headers)


def _content_length(headers: Any) -> int:
    for name, value in headers:
        if name.lower() == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _serve_shortly(driver: AsgiTelemetry, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve as `AsgiTelemetry.__call__`, an ordinary request by short cuts."""
    serving = driver.asgi_serve(scope, receive, send)
    if serving is None:
        await _serve(driver, scope, receive, send)
    else:
        await serving


_serve: Final = AsgiTelemetry.__call__
link(as_coroutine=as_coroutine, asgi_request=AsgiRequest, stepped=stepped)
shorten(AsgiRequest, send="asgi_send", finish="asgi_finish")
replace(AsgiTelemetry, "__call__", _serve_shortly)
replace(AsgiTelemetry, "asgi_serve", getattr(DriverState, "asgi_serve", None))
