"""A request recorded by the middleware itself, where no driver stands around the handler."""

from __future__ import annotations

from time import perf_counter_ns as _now_ns
from typing import TYPE_CHECKING, Any

from wf_instrument.guard import guard
from wf_instrument.tracing.propagation.environ import context_from_environ
from wf_instrument.web.asgi import REQUEST_KEY
from wf_instrument.web.request import RequestRecord

from ._routes import request_scope, route_of_match

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wf_instrument.web.recorder import Recorder
    from wf_instrument.web.series import RouteHandle

__all__ = ["MiddlewareRequest"]


class MiddlewareRequest(RequestRecord):
    """Begins with the middleware; ends with its response, or when a streamed one is closed."""

    def __init__(self, recorder: Recorder, request: Any) -> None:
        if not recorder.pipeline.is_running:
            recorder.pipeline.start()
        self._request: Any = request
        self.begin(recorder, request.method)
        with guard("django.begin"):
            meta = request.META
            host = meta.get("HTTP_HOST") or meta.get("SERVER_NAME", "")
            query = meta.get("QUERY_STRING") if recorder.settings.url_query else ""
            path = f"{request.path_info}?{query}" if query else request.path_info
            self.url_parts = (request.scheme, host, meta.get("SCRIPT_NAME", ""), path)
            request_scope(request)[REQUEST_KEY] = self
            self.begin_span()

    def begin_span(self) -> None:
        """Make the server span; the caller makes it the active one."""
        tracer = self.recorder.tracer
        if tracer is None:
            return
        meta = self._request.META
        peer = meta.get("REMOTE_ADDR")
        parent = self.recorder.trust.parent(tracer, context_from_environ, meta, peer)
        self.span = tracer.start_request_span(self.method, parent, self.started_ns, self)
        if self.recorder.extras is not None:
            self.recorder.extras.begun_environ(self, meta)

    def resolve_handle(self) -> RouteHandle:
        """Return the handle of what Django resolved the request to."""
        request = self._request
        if request is None:
            return self.recorder.handle(None, self.method, "http", "HTTP/1.1")
        match = getattr(request, "resolver_match", None)
        return self.recorder.handle(
            None if match is None else route_of_match(match),
            self.method,
            request.scheme,
            request.META.get("SERVER_PROTOCOL", "HTTP/1.1"),
        )

    def target(self) -> str:
        """Return root and path, which Django has made text of."""
        return "" if self.url_parts is None else self.url_parts[2] + self.url_parts[3]

    def answered(self, response: Any) -> None:
        """Note the response, and its end."""
        with guard("django.answered"):
            self.status = response.status_code
            self.first_byte_ns = _now_ns()
            if not response.streaming:
                self.response_bytes = len(response.content)
                self.finish()
                return
            length = response.get("Content-Length", "")
            if length.isdecimal():
                self.response_bytes = int(length)
            elif getattr(response, "file_to_stream", None) is None:
                self._count_parts(response)
            close = response.close

            def close_and_finish() -> None:
                try:
                    close()
                finally:
                    self.finish()

            # On the object: its type, and what a server may do with a file, stay as they are.
            response.close = close_and_finish

    def _count_parts(self, response: Any) -> None:
        """Count what is streamed, in the way that Django's documentation has for middlewares."""
        parts = response.streaming_content
        if getattr(response, "is_async", False):

            async def counted() -> AsyncIterator[bytes]:
                async for part in parts:
                    yield self._counted(part)

            response.streaming_content = counted()
        else:
            response.streaming_content = map(self._counted, parts)

    def _counted(self, part: bytes) -> bytes:
        self.response_bytes += len(part)
        return part

    def escaped(self, error: BaseException) -> None:
        """Record a request that ended with an exception out of the application."""
        self.fail(error, "server_error" if isinstance(error, Exception) else "cancelled")
        if isinstance(error, Exception):
            self.status = 500
        self.finish()

    def finish(self) -> None:
        """Record the request and let go of Django's, which may not outlive it."""
        super().finish()
        self._request = None
