"""Calls to other services, as integrations of HTTP clients record them.

A call is a client span, whose context goes along in the headers, and a value of the histogram
`http.client.request.duration` in seconds. Where clients stand on one another, the outermost that is
instrumented records, once.

Threads: any; what is kept between calls is a dictionary, filled by single operations.
Locks: none, so nothing to reset in a forked child.
"""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Protocol

from opentracing import Format

from wf_instrument.guard import caught, guard
from wf_instrument.metrics.wavefront_histogram import wavefront_histogram
from wf_instrument.suppression import SUPPRESSED
from wf_instrument.telemetry import default_telemetry
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.tracing.span_context import WavefrontSpanContext

if TYPE_CHECKING:
    from contextvars import Token

    from wf_instrument.metrics.wavefront_histogram import WavefrontHistogram
    from wf_instrument.settings import Settings
    from wf_instrument.telemetry import Telemetry
    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["OutgoingCall", "begin_call"]

#: In seconds.
#: Source: OpenTelemetry semantic conventions for HTTP metrics, "Metric:
#:     `http.client.request.duration`".
_METRIC: Final = "http.client.request.duration"

#: Series of distinct servers, methods and statuses; further ones share one server's name.
_MAX_SERIES: Final = 1000
_OVERFLOW: Final = "_OVERFLOW_"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class _Headers(Protocol):
    """What a client keeps headers in."""

    def __setitem__(self, key: str, value: str, /) -> None: ...


_histograms: dict[tuple[Telemetry, tuple[tuple[str, str], ...]], WavefrontHistogram] = {}


def begin_call(
    component: str, method: str, scheme: str, host: str, port: int | None, path: str
) -> OutgoingCall | None:
    """Begin to record a call; None when it is not to be recorded. Never raises.

    Args:
        component: The client library.
        method: HTTP method.
        scheme: `http` or `https`.
        host: Host name or address, without user-info.
        port: None for the scheme's own.
        path: Path and query; the query is kept only if the setting `url_query` says so.
    """
    if SUPPRESSED.get():
        return None
    try:
        telemetry = default_telemetry()
        if not telemetry.settings.enabled:
            return None
        if not telemetry.pipeline.is_running:
            telemetry.pipeline.start()
        return OutgoingCall(telemetry, component, method, scheme, host, port, path)
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("outgoing.begin", error)
        return None


class OutgoingCall:
    """One call under way; made by `begin_call`. None of its methods raises."""

    def __init__(
        self,
        telemetry: Telemetry,
        component: str,
        method: str,
        scheme: str,
        host: str,
        port: int | None,
        path: str,
    ) -> None:
        self._telemetry = telemetry
        self._method = method.upper()
        self._host = host
        self._port = port or _DEFAULT_PORTS.get(scheme)
        self._span = self._started(component, _url(telemetry.settings, scheme, host, port, path))
        self._begun = time.perf_counter()
        self._token: Token[bool] | None = SUPPRESSED.set(True)

    def _started(self, component: str, url: str) -> WavefrontSpan | None:
        if not self._telemetry.settings.spans:
            return None
        active = ACTIVE.get()
        # A program's own tracer, if it is at work here.
        tracer = self._telemetry.tracer if active is None else active.tracer
        return tracer.start_span(
            self._method,
            tags={
                "component": component,
                "span.kind": "client",
                "http.method": self._method,
                "http.url": url,
            },
        )

    def inject(self, headers: _Headers) -> None:
        """Write the context into the headers of the request."""
        with guard("outgoing.inject"):
            settings = self._telemetry.settings
            span = self._span or ACTIVE.get()
            if span is None or not _matches(self._host, settings.propagate_hosts):
                return
            context = span.context
            if context.baggage and not _matches(self._host, settings.baggage_hosts):
                context = WavefrontSpanContext(
                    context.trace_id_int,
                    context.span_id_int,
                    None,
                    context.get_sampling_decision(),
                    tracestate=context.tracestate,
                )
            carrier: dict[str, str] = {}
            span.tracer.inject(context, Format.HTTP_HEADERS, carrier)
            for name, value in carrier.items():
                headers[name] = value

    def answered(self, status: int) -> None:
        """End it with the status of the response."""
        with guard("outgoing.end"):
            is_error = status >= 400
            if self._span is not None:
                self._span.set_tag("http.status_code", str(status))
                if is_error:
                    self._span.set_tag("error", "true")
            self._end(status, str(status) if is_error else "")

    def failed(self, error: BaseException) -> None:
        """End it without a response."""
        with guard("outgoing.end"):
            if self._span is not None:
                self._span.set_error(error)
            self._end(None, type(error).__name__)

    def _end(self, status: int | None, error_type: str) -> None:
        seconds = time.perf_counter() - self._begun
        token, self._token = self._token, None
        if token is None:
            return  # ended already
        try:
            SUPPRESSED.reset(token)
        except ValueError:  # a callback in another task's context
            SUPPRESSED.set(False)
        if self._span is not None:
            self._span.finish()
        if self._telemetry.settings.metrics:
            self._histogram(status, error_type).add(seconds)

    def _histogram(self, status: int | None, error_type: str) -> WavefrontHistogram:
        tags = [
            ("http.request.method", self._method),
            ("server.address", self._host),
            ("server.port", str(self._port)),
        ]
        if status is not None:
            tags.append(("http.response.status_code", str(status)))
        if error_type:
            tags.append(("error.type", error_type))
        key = (self._telemetry, tuple(tags))
        known = _histograms.get(key)
        if known is None:
            if len(_histograms) >= _MAX_SERIES:
                tags[1:3] = [("server.address", _OVERFLOW)]
            made: WavefrontHistogram = wavefront_histogram(
                self._telemetry.registry, _METRIC, dict(tags)
            )
            known = _histograms.setdefault((self._telemetry, tuple(tags)), made)
        return known


def _matches(host: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(host.lower(), pattern.lower()) for pattern in patterns)


def _url(settings: Settings, scheme: str, host: str, port: int | None, path: str) -> str:
    where = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        where = f"{where}:{port}"
    shown = path if settings.url_query else path.partition("?")[0]
    return f"{scheme}://{where}{shown.partition('#')[0]}"
