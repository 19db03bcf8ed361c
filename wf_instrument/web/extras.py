"""What a request does only where settings or hooks ask for it; the drivers' one seam for it.

A recorder without any of it has no `RequestExtras`, and its requests pay for one comparison.
Each part fails alone: what goes wrong is counted, and the response is the application's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wf_instrument.guard import caught
from wf_instrument.web.access_line import AccessLine
from wf_instrument.web.caller_headers import (
    SERVER_TIMING,
    TRACE_RESPONSE,
    server_timing,
    trace_response,
)
from wf_instrument.web.captured_headers import CapturedHeaders
from wf_instrument.web.hooks import run_hook

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from wf_instrument.settings import Settings
    from wf_instrument.web.hooks import Hooks
    from wf_instrument.web.request import RequestRecord
    from wf_instrument.web.series import RouteHandle

__all__ = ["RequestExtras"]


class RequestExtras:
    """Hooks, captured headers, headers for callers and log lines of a process' requests.

    Raises:
        ConfigError: A setting is wrong.
    """

    def __init__(self, settings: Settings, hooks: Hooks) -> None:
        self._hooks = hooks
        self._request_headers = CapturedHeaders("request", settings.captured_request_headers)
        self._response_headers = CapturedHeaders("response", settings.captured_response_headers)
        self._has_server_timing = settings.server_timing
        self._has_trace_response = settings.trace_response
        self._tells_callers = settings.server_timing or settings.trace_response
        form = settings.log_line
        self._access_line = None if form == "off" else AccessLine(form)

    def begun_environ(self, record: RequestRecord, environ: dict[str, Any]) -> None:
        """Note a WSGI request that has just got its span. Never raises."""
        if self._request_headers:
            try:
                record.request_header_tags = self._request_headers.of_environ(environ)
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("extras.request_headers", error)
        self._run_request_hooks(record, environ)

    def begun_scope(self, record: RequestRecord, scope: MutableMapping[str, Any]) -> None:
        """Note an ASGI request that has just got its span. Never raises."""
        if self._request_headers:
            try:
                record.request_header_tags = self._request_headers.of_pairs(scope["headers"])
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("extras.request_headers", error)
        self._run_request_hooks(record, scope)

    def _run_request_hooks(self, record: RequestRecord, request: object) -> None:
        span = record.span
        if span is not None:
            for hook in self._hooks.request:
                run_hook("request_hook", hook, span, request)

    def answered(self, record: RequestRecord, request: object, headers: list[Any]) -> list[Any]:
        """Note that the response begins; return its headers, in another list if some are added.

        Never raises.

        Args:
            record: The request.
            request: Its environ or scope.
            headers: Names and values as text; left as they are.
        """
        if record.span is not None:
            self._look_at(record, request, headers)
        if self._tells_callers:
            try:
                return [*headers, *self._added(record, headers)]
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("extras.caller_headers", error)
        return headers

    def answered_message(
        self, record: RequestRecord, scope: object, message: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Note an `http.response.start`; return it, or another one if headers are added."""
        given = message.get("headers", ())
        # ASGI allows any iterable, also one that can be read only once.
        headers = given if type(given) is list else list(given)
        if record.span is not None:
            self._look_at(record, scope, headers)
        if self._tells_callers:
            try:
                added = self._added(record, headers)
                headers = [*headers, *((n.lower().encode(), v.encode()) for n, v in added)]
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("extras.caller_headers", error)
        return message if headers is given else {**message, "headers": headers}

    def _added(self, record: RequestRecord, headers: list[Any]) -> list[tuple[str, str]]:
        """Return the headers that the caller gets besides the application's."""
        added = []
        if self._has_server_timing:
            added.append((SERVER_TIMING, server_timing(record)))
        # Of two, nobody could tell which is right.
        is_known = any(_text(name).lower() == TRACE_RESPONSE for name, _ in headers)
        if self._has_trace_response and record.span is not None and not is_known:
            added.append((TRACE_RESPONSE, trace_response(record.span)))
        return added

    def finished(
        self, record: RequestRecord, handle: RouteHandle, latency_ns: int, cpu_ns: int
    ) -> None:
        """Note that the request has ended. Never raises."""
        if self._access_line is not None and not handle.policy.excludes("logs"):
            self._access_line.write(record, handle, latency_ns, cpu_ns)

    def _look_at(self, record: RequestRecord, request: object, headers: list[Any]) -> None:
        if self._response_headers:
            try:
                record.response_header_tags = self._response_headers.of_pairs(headers)
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("extras.response_headers", error)
        hook, span = self._hooks.response, record.span
        if hook is not None and span is not None:
            try:
                text = [(_text(name), _text(value)) for name, value in headers]
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("extras.response_hook", error)
            else:
                run_hook("response_hook", hook, span, request, record.status, text)


def _text(given: Any) -> str:
    return given.decode("latin-1") if isinstance(given, bytes) else str(given)
