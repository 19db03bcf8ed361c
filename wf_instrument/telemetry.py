"""The composition root: settings, identity, registry, tracer and pipeline of a process, joined.

Threads: any. Locks: `_lock` guards making the default; nothing is on the network under it.
Fork: each part resets itself; see their modules.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
import weakref
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol

from wf_instrument.errors import ConfigError
from wf_instrument.identity import Identity
from wf_instrument.metrics.tagged_registry import TaggedRegistry
from wf_instrument.process_exit import at_exit
from wf_instrument.reporting.pipeline import Pipeline
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.reporting.reporter import Reporter
from wf_instrument.reporting.reporter_url import make_reporter
from wf_instrument.settings import DEFAULT_REPORTER, Settings, load_settings
from wf_instrument.suppression import suppressed
from wf_instrument.tracing.propagation.registry import PropagatorRegistry
from wf_instrument.tracing.span_buffer import SpanBuffer
from wf_instrument.tracing.tracer import WavefrontTracer
from wf_instrument.web.asked_extras import extras_for
from wf_instrument.web.hooks import NO_HOOKS, Hooks, taken_hooks
from wf_instrument.web.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from importlib.metadata import EntryPoint

    from wf_instrument.identity import ApplicationTags
    from wf_instrument.metrics.pyformance_shim import MetricsRegistry
    from wf_instrument.tracing.samplers import Sampler
    from wf_instrument.web.recorder import EndpointOf, RouteNames

__all__ = [
    "Instrumentation",
    "Telemetry",
    "default_telemetry",
    "default_to",
    "flush",
    "get_registry",
    "get_tracer",
    "instrument",
    "longest_shutdown_s",
    "shutdown",
    "start_reporting",
    "telemetry_for",
]

log = logging.getLogger(__name__)

#: A client has an answer's last byte a moment before its request is recorded; a server that ends
#: just then is given so long for it.
_GRACE_S: Final = 0.25
_GRACE_STEP_S: Final = 0.002

INTEGRATION_GROUP: Final = "wf_instrument.integrations"

#: What the entry points of libraries name; those of frameworks name `instrument_app`.
_OF_LIBRARIES: Final = "install"

#: Integrations of no framework. Files of applications have these names, too.
_INTERFACES: Final = frozenset({"asgi", "wsgi"})


class Instrumenter(Protocol):
    """What an entry point of the group `wf_instrument.integrations` names.

    Its module may have an `uninstrument_app(app)` that undoes it, and an `is_application(app)`
    that tells the framework's applications from what else its package makes.
    """

    def __call__(self, app: object, **settings: object) -> object:
        """Instrument the application and return it; harmless when called twice."""


class Telemetry:
    """Everything between the applications of a process and its reporters.

    Args:
        settings: Resolved settings.
        reporters: Reporters made by the caller, with names; in place of `settings.reporter`.
        tracer: The caller's tracer, which then reports spans by itself.
        application_tags: In place of the settings' application, service, cluster and shard.
        source: In place of the settings' source.
        hooks: The application's functions that are called for each request.

    Raises:
        ConfigError: A reporter URL cannot be used.

    Attributes:
        shared_as: The settings and tags that further applications share it by; None for none.
    """

    shared_as: tuple[Settings, ApplicationTags | None] | None = None

    def __init__(
        self,
        settings: Settings,
        *,
        reporters: Iterable[tuple[str, Reporter]] | None = None,
        tracer: WavefrontTracer | None = None,
        application_tags: ApplicationTags | None = None,
        source: str | None = None,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        self.settings = settings
        self._extras = extras_for(settings, hooks)
        self.identity = self.identity_of(settings, application_tags, source)
        self.pipeline = Pipeline(self.identity, settings.tick_s)
        # Its thread keeps it: an application may go before all that it did was delivered.
        self.pipeline.owner = self
        self.registry: TaggedRegistry = TaggedRegistry()
        self._registries: list[tuple[MetricsRegistry, str]] = []
        self._add_registry(self.registry, "")
        # Imported where they are wanted: a server waits for its workers.
        if settings.runtime_metrics:
            from wf_instrument.reporting.runtime_producer import RuntimeProducer

            self.pipeline.add_producer(RuntimeProducer())
        self.tracer = tracer if tracer is not None else self._own_tracer()
        self._recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()
        self._add_reporters(reporters)
        _all.add(self)

    @staticmethod
    def identity_of(
        settings: Settings, application_tags: ApplicationTags | None, source: str | None
    ) -> Identity:
        """Return the identity that telemetry with these arguments reports as."""
        known = settings.identity()
        return Identity(application_tags or known.tags, source or known.source)

    def add_registry(self, registry: MetricsRegistry, prefix: str = "") -> None:
        """Report the metrics of one more registry, their names led by `prefix`.

        Does nothing when they go to the same place under the same names already.
        """
        if not any(other.is_reporting(registry, prefix, self) for other in list(_all)):
            self._add_registry(registry, prefix)

    def is_reporting(self, registry: MetricsRegistry, prefix: str, to: Telemetry) -> bool:
        """Return whether it reports a registry to one of the places another telemetry does."""
        # Deltas that arrive twice would count twice.
        return (
            not self.pipeline.is_closed
            and any(known is registry and led == prefix for known, led in self._registries)
            and not self._destinations().isdisjoint(to._destinations())
        )

    def _destinations(self) -> set[int]:
        # By identity: two reporters of one client have one destination.
        return {id(getattr(one, "client", one)) for _, one in self.pipeline.reporters}

    def _add_registry(self, registry: MetricsRegistry, prefix: str) -> None:
        self._registries.append((registry, prefix))
        self.pipeline.add_producer(RegistryProducer(registry, prefix))

    def _own_tracer(self) -> WavefrontTracer:
        spans = SpanBuffer(self.settings.max_buffered_spans)
        self.pipeline.add_producer(spans)
        tracer = WavefrontTracer(
            spans,
            self.identity.tags,
            samplers=self._samplers(),
            propagators=PropagatorRegistry(self.settings.extract, self.settings.inject),
        )
        if self.settings.red_metrics:
            from wf_instrument.reporting.red_producer import RedProducer

            self.pipeline.add_producer(RedProducer(tracer.derive_red_metrics()))
        return tracer

    def _samplers(self) -> list[Sampler] | None:
        rate = self.settings.sample_rate
        if rate >= 1.0:
            return None
        from wf_instrument.tracing.samplers import RateSampler

        return [RateSampler(rate)]

    def _add_reporters(self, reporters: Iterable[tuple[str, Reporter]] | None) -> None:
        if reporters is not None:
            for name, reporter in reporters:
                self.pipeline.add_reporter(name, reporter)
            return
        urls = self.settings.reporter
        if not urls:
            urls = (DEFAULT_REPORTER,)
            log.info(
                "no reporter configured: keeping figures in the local store; "
                "`wf-instrument ui` shows them, WF_REPORTER names another place"
            )
        for text in urls:
            url, made, interval_s = make_reporter(text, self.identity, self.settings)
            self.pipeline.add_reporter(str(url), made, interval_s)

    def recorder(
        self, framework: str, route_names: RouteNames, endpoint_of: EndpointOf | None = None
    ) -> Recorder:
        """Return a recorder for one more application of the process."""
        tracer = self.tracer if self.settings.spans else None
        recorder = Recorder(
            framework,
            self.settings,
            self.pipeline,
            tracer,
            route_names,
            self._extras,
            endpoint_of,
        )
        self._recorders.add(recorder)
        return recorder

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Deliver what was recorded so far; False when it took longer than `timeout_s`."""
        return self.pipeline.flush(timeout_s)

    def shutdown(self, timeout_s: float | None = None) -> None:
        """Deliver what is left and release everything; a second call does nothing."""
        limit_s = self.settings.shutdown_timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit_s
        if not self.pipeline.is_closed:
            self._wait_for_requests(min(_GRACE_S, limit_s / 2))
        self.pipeline.shutdown(max(0.0, deadline - time.monotonic()))

    def _wait_for_requests(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        # Looked at, since the end of a request has no time to notify anybody.
        pause = threading.Event()
        while any(recorder.live for recorder in list(self._recorders)):
            if time.monotonic() >= deadline:
                return
            pause.wait(_GRACE_STEP_S)


_lock = threading.Lock()
_default: Telemetry | None = None
_defaults: Settings | None = None
_all: weakref.WeakSet[Telemetry] = weakref.WeakSet()


def default_telemetry() -> Telemetry:
    """Return the process' telemetry, made from environment and file at the first call.

    Raises:
        ConfigError: A setting is wrong.
    """
    global _default
    # Making a reporter may make calls, which would ask for what is being made.
    with _lock, suppressed():
        if _default is None:
            _default = Telemetry(_defaults or load_settings())
        return _default


def default_to(settings: Settings) -> None:
    """Make the process' telemetry from these settings, where nobody gives others."""
    global _defaults
    _defaults = settings


def longest_shutdown_s() -> float:
    """Return the seconds that `shutdown` may take."""
    return max((one.settings.shutdown_timeout_s for one in list(_all)), default=0.0)


def telemetry_for(
    settings: dict[str, object], application_tags: ApplicationTags | None = None
) -> Telemetry:
    """Return telemetry with the given settings; the default one when there are none.

    The first telemetry a process makes is its default. Equal settings lead to the same one, unless
    reporters or functions are among them. The setting `reporter` takes reporters
    as well as URLs; `request_hook`, `start_span_cb` and `response_hook` take functions.
    """
    global _default
    if not settings and application_tags is None:
        return default_telemetry()
    arguments = dict(settings)
    reporters = _given_reporters(arguments)
    hooks = taken_hooks(arguments)
    resolved = load_settings(arguments)
    # Two pipelines of one identity would overwrite each other's counters where they report to.
    is_shared = reporters is None and hooks == NO_HOOKS
    with _lock, suppressed():
        made = _made_before(resolved, application_tags) if is_shared else None
        if made is None:
            made = Telemetry(
                resolved, reporters=reporters, application_tags=application_tags, hooks=hooks
            )
            if is_shared:
                made.shared_as = (resolved, application_tags)
        if _default is None:
            _default = made
    return made


def _made_before(settings: Settings, tags: ApplicationTags | None) -> Telemetry | None:
    """Return a telemetry with the same settings that still reports. Caller holds `_lock`."""
    wanted = (settings, tags)
    return next(
        (one for one in list(_all) if one.shared_as == wanted and not one.pipeline.is_closed), None
    )


def _given_reporters(arguments: dict[str, object]) -> list[tuple[str, Reporter]] | None:
    """Take reporter objects out of the arguments; None when there are only URLs."""
    value = arguments.get("reporter")
    given = value if isinstance(value, list | tuple) else [value]
    reporters = [item for item in given if isinstance(item, Reporter)]
    if not reporters:
        return None
    if len(reporters) < len(given):
        raise ConfigError("argument 'reporter' mixes reporters and URLs; give one kind")
    del arguments["reporter"]
    return [(type(item).__name__, item) for item in reporters]


class Instrumentation:
    """The instrumentation of one application; `wf_instrument.instrument` returns it.

    Attributes:
        app: What to serve: the application itself, or of a bare WSGI or ASGI callable the one
            around it.
        framework: The integration that is at work, `flask` for example.
    """

    def __init__(self, app: Any, framework: str, undo: Callable[[Any], Any] | None) -> None:
        self.app = app
        self.framework = framework
        self._undo = undo

    def __repr__(self) -> str:
        return f"<Instrumentation {self.framework} of {self.app!r}>"

    def uninstrument(self) -> None:
        """Record no further request of the application; harmless when called again.

        Of a callable that was wrapped, `app` is from then on the one that was given.
        """
        undo, self._undo = self._undo, None
        if undo is not None:
            self.app = undo(self.app)


def instrument(app: object, **settings: object) -> Instrumentation:
    """Instrument any supported application object, once however often this is called.

    The framework is recognised by the package that the application's class, or one of its base
    classes, comes from; any other callable by its signature: `(scope, receive, send)` is ASGI,
    `(environ, start_response)` WSGI.

    Args:
        app: The application.
        settings: Any setting of `Settings`, `application_tags`, and the hooks `request_hook` and
            `response_hook`.

    Returns:
        A handle: its `app` is to be served, its `uninstrument` undoes it.

    Raises:
        ConfigError: No installed integration knows the application, or a setting is wrong.
    """
    points = {
        point.name: point
        for point in entry_points(group=INTEGRATION_GROUP)
        if point.attr != _OF_LIBRARIES
    }
    point = points.get(_framework_of(app, points) or _interface_of(app))
    if point is None:
        kind = app if isinstance(app, type) else type(app)
        raise ConfigError(
            f"cannot instrument {'the class' if kind is app else 'an object of type'} "
            f"{kind.__module__}.{kind.__qualname__}; give an application: an object of "
            f"{', '.join(sorted(points.keys() - _INTERFACES))}, or a callable with the parameters "
            "of ASGI or WSGI"
        )
    instrumenter: Instrumenter = point.load()
    served = instrumenter(app, **settings)
    undo = getattr(import_module(point.module), "uninstrument_app", None)
    return Instrumentation(served, point.name, undo)


def _framework_of(app: object, points: Mapping[str, EntryPoint]) -> str:
    """Return the framework whose application this is, an empty text if it is of none."""
    for kind in type(app).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in points and name not in _INTERFACES:
            takes = getattr(import_module(points[name].module), "is_application", None)
            if takes is None or takes(app):
                return name
    return ""


def _interface_of(app: object) -> str:
    """Return `asgi` or `wsgi` as a callable's parameters tell, an empty text otherwise."""
    if not callable(app):
        return ""
    try:
        # Of a wrapper too: the server calls the wrapper, not what is in it.
        parameters = inspect.signature(app, follow_wrapped=False).parameters.values()
        if any(one.kind is one.VAR_POSITIONAL for one in parameters):
            # Unless it takes whatever that takes.
            parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return ""
    required = [
        one
        for one in parameters
        if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} and one.default is one.empty
    ]
    return {2: "wsgi", 3: "asgi"}.get(len(required), "")


def get_registry() -> TaggedRegistry:
    """Return the registry whose metrics the process reports; put your own into it."""
    return default_telemetry().registry


def get_tracer() -> WavefrontTracer:
    """Return the process' tracer, an `opentracing.Tracer`."""
    return default_telemetry().tracer


def start_reporting() -> None:
    """Report from now on what the process records; harmless when called again.

    The first request, span of `wf_instrument.span` or `trace`, and recorded outgoing call do it by
    themselves. For programs that have none of them, and not before a server forks its workers.
    """
    telemetry = default_telemetry()
    if telemetry.settings.enabled and not telemetry.pipeline.is_running:
        telemetry.pipeline.start()


def flush(timeout_s: float = 5.0) -> bool:
    """Deliver what the process recorded so far; False when it took longer than `timeout_s`."""
    # All of them, even when one fails: no short cut.
    outcomes = [telemetry.flush(timeout_s) for telemetry in list(_all)]
    return all(outcomes)


def shutdown(timeout_s: float | None = None) -> None:
    """Deliver what is left within `timeout_s` (default: setting) and release everything.

    Runs by itself when the interpreter ends.
    """
    global _default
    for telemetry in list(_all):
        telemetry.shutdown(timeout_s)
    with _lock:
        _default = None
    _all.clear()


def _shutdown_in_child() -> None:
    # Where nothing was served nothing is left, but for the parent's counts that were inherited.
    for telemetry in list(_all):
        if telemetry.pipeline.is_running:
            telemetry.shutdown()


at_exit(shutdown, in_child=_shutdown_in_child)
