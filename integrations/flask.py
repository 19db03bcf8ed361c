"""Flask: `instrument_app(app)`, and `FlaskTracing` with the signature of the Wavefront SDK.

The WSGI callable is wrapped, which costs less than half of Flask's own hooks; Flask is asked
only for the route, and told us of exceptions by its signal.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from wf_instrument.automatic import gives_way
from wf_instrument.errors import ConfigError, MissingExtraError
from wf_instrument.guard import caught, guard
from wf_instrument.speed import link
from wf_instrument.telemetry import Telemetry, telemetry_for
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.web.asgi import AsgiRequest
from wf_instrument.web.coroutine_meter import metered
from wf_instrument.web.current import SPANLESS, asgi_drivers
from wf_instrument.web.wsgi import REQUEST_KEY, WsgiRequest, WsgiTelemetry

try:
    import flask
except ImportError as exc:
    raise MissingExtraError(
        "instrumenting Flask needs the package 'flask', which is not installed; "
        "run: pip install 'wf-instrument[flask]'",
        name="flask",
    ) from exc

from ._flask_view import ViewRequest
from ._given import require
from ._mounted import MountedRoutes
from ._url_rules import rule_names, views_by

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.tracing.tracer import WavefrontTracer
    from wf_instrument.web.recorder import Recorder

__all__ = ["FlaskTracing", "instrument_app", "is_application", "uninstrument_app"]

#: What `wf-instrument run` instruments when it is made.
APPLICATION_CLASSES: Final = (flask.Flask,)

#: Key of `app.extensions` under which the instrumentation of an application stands.
EXTENSION: Final = "wf_instrument"

#: Rules below the mounts of an ASGI application around.
_MOUNTED: Final = MountedRoutes()

_View = TypeVar("_View", bound=Callable[..., Any])
_Tracer = "WavefrontTracer | Callable[[], WavefrontTracer]"
StartSpanCallback = Callable[["WavefrontSpan", flask.Request], object]


def instrument_app(
    app: flask.Flask,
    *,
    application_tags: ApplicationTags | None = None,
    **settings: object,
) -> flask.Flask:
    """Instrument a Flask application; every request is recorded from then on.

    Args:
        app: The application; instrumenting it again does nothing.
        application_tags: Its tags, in place of the settings application, service, cluster, shard.
        settings: Any setting of `wf_instrument.Settings`; `reporter` takes URLs or reporters.

    Returns:
        The same application.

    Raises:
        ConfigError: It is no such application, or a setting is wrong.
    """
    require(app, flask.Flask, "an application of Flask; give the `flask.Flask` itself")
    if gives_way(app):
        uninstrument_app(app)
    if EXTENSION not in app.extensions:
        telemetry = telemetry_for(settings, application_tags)
        if telemetry.settings.enabled:
            _Instrumented(app, telemetry, traces_all=True)
    return app


def is_application(app: object) -> bool:
    """Return whether an object is what `instrument_app` takes."""
    return isinstance(app, flask.Flask)


def uninstrument_app(app: flask.Flask) -> flask.Flask:
    """Record no further request of the application and return it; harmless when called again."""
    instrumented = app.extensions.pop(EXTENSION, None)
    if instrumented is not None:
        instrumented.undo(app)
    return app


class FlaskTracing:
    """Metrics, histograms and spans for a Flask application, as the Wavefront Flask SDK has it.

    Args:
        tracer: The tracer of server spans, or a callable that returns it when the first request
            comes; one that sends to `reporter` is made when there is none.
        reporter: A pyformance reporter of `wf_instrument.backends.wavefront`, or a `Reporter` of
            the pipeline; the setting `reporter` (`WF_REPORTER`) decides when there is none.
        application_tags: Tags of everything reported.
        trace_all_requests: Whether every request gets a span, or only decorated views; default:
            every request when `app` is given.
        app: The application; None leaves it to `trace`, which then records decorated views.
        traced_attributes: Attributes of the request that become span tags.
        start_span_cb: Called as `start_span_cb(span, request)` before the view; what it raises is
            swallowed, and logged at most once a minute.
        enable_internal_metrics: Whether the SDK reports on itself to the backend.

    Raises:
        ConfigError: (a `ValueError`) `start_span_cb` is not callable, or `trace_all_requests` is
            set without an application.
    """

    def __init__(
        self,
        tracer: WavefrontTracer | Callable[[], WavefrontTracer] | None = None,
        reporter: Any = None,
        application_tags: ApplicationTags | None = None,
        trace_all_requests: bool | None = None,
        app: flask.Flask | None = None,
        traced_attributes: Iterable[str] | None = None,
        start_span_cb: StartSpanCallback | None = None,
        enable_internal_metrics: bool = True,
    ) -> None:
        if start_span_cb is not None and not callable(start_span_cb):
            raise ConfigError(
                f"start_span_cb should be a callable (span, request), got {start_span_cb!r}"
            )
        if trace_all_requests and app is None:
            raise ConfigError("trace_all_requests=True needs the application: pass app=")
        self._tracer = tracer
        self._reporter = reporter
        self._application_tags = application_tags
        self._start_span_cb = start_span_cb
        self._traced_attributes = tuple(traced_attributes or ())
        self._enable_internal_metrics = enable_internal_metrics
        self._telemetry: Telemetry | None = None
        self._recorder: Recorder | None = None
        if app is not None and gives_way(app):
            uninstrument_app(app)
        if app is not None and EXTENSION not in app.extensions and self._is_enabled():
            _Instrumented(
                app,
                self._made_telemetry(),
                traces_all=trace_all_requests is not False,
                span_started=self._span_started if self._watches_start else None,
            )

    @property
    def tracer(self) -> WavefrontTracer:
        """The tracer, asked of the callable if one was given."""
        return self._made_telemetry().tracer

    def get_span(self, request: flask.Request | None = None) -> WavefrontSpan | None:
        """Return the server span of a request, by default of the current one; None without."""
        if request is None:
            if not flask.has_request_context():
                return None
            request = flask.request
        record = request.environ.get(REQUEST_KEY)
        return None if record is None else cast("WavefrontSpan | None", record.span)

    def trace(self, *attributes: str) -> Callable[[_View], _View]:
        """Decorate a view: it gets a server span, with attributes of the request as tags.

        Args:
            attributes: Names of attributes of `flask.Request`, for example `url`, `method`.
        """

        def decorate(view: _View) -> _View:
            if inspect.iscoroutinefunction(view):

                @functools.wraps(view)
                async def traced_async(*args: object, **kwargs: object) -> object:
                    with _TracedView(self, attributes):
                        return await view(*args, **kwargs)

                return cast("_View", traced_async)

            @functools.wraps(view)
            def traced(*args: object, **kwargs: object) -> object:
                with _TracedView(self, attributes):
                    return view(*args, **kwargs)

            return cast("_View", traced)

        return decorate

    @property
    def _watches_start(self) -> bool:
        return self._start_span_cb is not None or bool(self._traced_attributes)

    def _span_started(self, span: WavefrontSpan, request: flask.Request) -> None:
        _tag_attributes(span, request, self._traced_attributes)
        if self._start_span_cb is not None:
            with guard("flask.start_span_cb"):
                self._start_span_cb(span, request)

    def _made_telemetry(self) -> Telemetry:
        if self._telemetry is None:
            tracer = self._tracer
            if tracer is not None and not hasattr(tracer, "start_span"):
                tracer = tracer()
            report_version = getattr(self._reporter, "report_sdk_version", None)
            if self._enable_internal_metrics and report_version is not None:
                report_version("flask")
            self._telemetry = telemetry_with(
                cast("WavefrontTracer | None", tracer), self._reporter, self._application_tags
            )
        return self._telemetry

    def _is_enabled(self) -> bool:
        return self._made_telemetry().settings.enabled

    def _view_recorder(self) -> Recorder:
        if self._recorder is None:
            telemetry = self._made_telemetry()
            self._recorder = telemetry.recorder("flask", rule_names, _current_view)
        return self._recorder


class _TracedView:
    """The block around a decorated view: a span is active in it, whoever recorded the request."""

    def __init__(self, tracing: FlaskTracing, attributes: tuple[str, ...]) -> None:
        self._tracing = tracing
        self._attributes = attributes
        self._token: Any = None
        self._spanless: Any = None
        self._record: Any = None

    def __enter__(self) -> None:
        with guard("flask.trace"):
            request = _current_request()
            record: Any = request.environ.get(REQUEST_KEY)
            if record is None or record.is_finished:
                if not self._tracing._is_enabled():  # noqa: SLF001 - of this module
                    return
                recorder = self._tracing._view_recorder()  # noqa: SLF001 - of this module
                self._record = ViewRequest(recorder, request)
                self._record.attach(flask.current_app)
                record = self._record
            is_new = record.span is None
            if is_new:
                record.begin_span()
            span: WavefrontSpan | None = record.span
            if span is None:
                self._spanless = SPANLESS.set(record)
                return
            if is_new:
                self._token = ACTIVE.set(span)
                self._tracing._span_started(span, request)  # noqa: SLF001 - of this module
            _tag_attributes(span, request, self._attributes)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        with guard("flask.trace"):
            if self._token is not None:
                ACTIVE.reset(self._token)
            if self._spanless is not None:
                SPANLESS.reset(self._spanless)
            if error is not None and self._record is not None:
                self._record.view_raised(error, flask.current_app)


class _Instrumented:
    """The instrumentation of one application: its driver, and the signals it listens to."""

    def __init__(
        self,
        app: flask.Flask,
        telemetry: Telemetry,
        *,
        traces_all: bool,
        span_started: Callable[[WavefrontSpan, flask.Request], None] | None = None,
    ) -> None:
        self.telemetry = telemetry
        self.recorder = telemetry.recorder("flask", rule_names, views_by(app.view_functions))
        self._span_started = span_started
        self._wsgi_app = app.wsgi_app
        self._driver = WsgiTelemetry(app.wsgi_app, self.recorder, _route_of, traces_all=traces_all)
        app.wsgi_app = self._driver  # type: ignore[method-assign]  # as Flask's docs tell
        self._meter_async_views(app)
        # Signals hold receivers weakly; the extension keeps this object, and so its methods.
        app.extensions[EXTENSION] = self
        flask.got_request_exception.connect(self._on_exception, app)
        if span_started is not None:
            flask.request_started.connect(self._on_started, app)

    def undo(self, app: flask.Flask) -> None:
        """Take the driver out again, and listen no more."""
        if app.wsgi_app is self._driver:
            app.wsgi_app = self._wsgi_app  # type: ignore[method-assign]  # as it was
        else:
            # Somebody wrapped it further: the driver stays, and sees nothing.
            self._driver.is_on = False
        vars(app).pop("async_to_sync", None)
        flask.got_request_exception.disconnect(self._on_exception, app)
        flask.request_started.disconnect(self._on_started, app)

    def _on_exception(self, app: flask.Flask, exception: BaseException, **_: object) -> None:
        with guard("flask.got_request_exception"):
            record = flask.request.environ.get(REQUEST_KEY)
            if isinstance(record, WsgiRequest):
                if record.handle is None:
                    record.handle = record.resolve_handle()
                record.fail(exception)
            elif isinstance(record, AsgiRequest):
                record.name_route(self.recorder, _route_of(flask.request.environ))
                record.fail(exception)

    def _on_started(self, app: flask.Flask, **_: object) -> None:
        with guard("flask.request_started"):
            request = _current_request()
            record = request.environ.get(REQUEST_KEY)
            if record is not None and record.span is not None and self._span_started is not None:
                self._span_started(record.span, request)

    @staticmethod
    def _meter_async_views(app: flask.Flask) -> None:
        """Charge the CPU time of async views, which run in another thread, to the request."""
        to_sync = app.async_to_sync

        def async_to_sync(func: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(func)
            async def charged(*args: object, **kwargs: object) -> object:
                record = None
                with guard("flask.async_to_sync"):
                    record = _current_record()
                if record is None or record.recorder.cpu_clock is None:
                    return await func(*args, **kwargs)
                return await metered(func(*args, **kwargs), record)

            return to_sync(charged)

        app.async_to_sync = async_to_sync  # type: ignore[method-assign]  # Flask's own seam


def telemetry_with(
    tracer: WavefrontTracer | None,
    reporter: Any,
    application_tags: ApplicationTags | None,
) -> Telemetry:
    """Return telemetry around what a program made itself.

    A pyformance reporter of ours becomes a reporter of the pipeline: its own loop is not
    started, and its registry is reported with the prefix `flask.`.
    """
    from wf_instrument.settings import load_settings

    settings = load_settings()
    source = None
    reporters = None
    if reporter is not None and hasattr(reporter, "as_pipeline_reporter"):
        source = getattr(reporter, "source", None)
        reporter.prefix = "flask."
        telemetry_identity = Telemetry.identity_of(settings, application_tags, source)
        reporters = [(type(reporter).__name__, reporter.as_pipeline_reporter(telemetry_identity))]
    elif reporter is not None:
        reporters = [(type(reporter).__name__, reporter)]
    telemetry = Telemetry(
        settings,
        reporters=reporters,
        tracer=tracer,
        application_tags=application_tags,
        source=source,
    )
    if source is not None and getattr(reporter, "registry", None) is not None:
        telemetry.add_registry(reporter.registry, prefix="flask.")
    return telemetry


def _route_of(environ: dict[str, Any]) -> object | None:
    request = environ.get("werkzeug.request")
    # Until Flask makes its own, a test client's plain werkzeug request may stand here.
    rule: object | None = (
        _rule_here(environ) if request is None else getattr(request, "url_rule", None)
    )
    if asgi_drivers and rule is not None:
        record = environ.get(REQUEST_KEY)
        # Below the mounts of an ASGI application.
        if isinstance(record, AsgiRequest) and record.mounts:
            return _MOUNTED.below(record.mounts, rule)
    return rule


link(flask_route=_route_of)


def _rule_here(environ: dict[str, Any]) -> object | None:
    # A middleware between Flask and us gave Flask a copy of the environ.
    if flask.has_request_context() and flask.request.environ.get(REQUEST_KEY) is environ.get(
        REQUEST_KEY
    ):
        return flask.request.url_rule
    return None


def _current_view(rule: Any) -> object | None:
    return views_by(flask.current_app.view_functions)(rule)


def _current_request() -> flask.Request:
    """Return the request itself, which outlives the proxy's context."""
    proxy: Any = flask.request
    request: flask.Request = proxy._get_current_object()  # noqa: SLF001 - how a proxy is undone
    return request


def _current_record() -> Any:
    try:
        return flask.request.environ.get(REQUEST_KEY)
    except RuntimeError:
        return None


def _tag_attributes(span: WavefrontSpan, request: flask.Request, names: Iterable[str]) -> None:
    for name in names:
        try:
            value = getattr(request, name, None)
            if value is not None and str(value):
                span.set_tag(name, str(value))
        except Exception as error:  # noqa: BLE001 - properties of a request may raise anything
            caught("flask.traced_attributes", error)
