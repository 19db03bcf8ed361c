"""Celery: `install()` records each task that a worker runs, in the trace of whoever sent it.

Written with the names that are public for everyone: the tracer, the registry and its histograms.
Arguments of tasks are never looked at.

Threads: any; a task's start and end are told in the thread that runs it.
Locks: none; what is under way stands in a dictionary, changed by single operations.
Fork: a worker's processes are forked before they run a task: nothing is under way then.
"""

from __future__ import annotations

import time
from typing import Any, Final

import opentracing

import wf_instrument
from wf_instrument.metrics import wavefront_histogram
from wf_instrument.plugins import MissingExtraError, guard

try:
    from celery import signals
except ImportError as exc:
    raise MissingExtraError(
        "recording tasks of Celery needs the package 'celery', which is not installed; "
        "run: pip install celery",
        name="celery",
    ) from exc

__all__ = ["install", "uninstall"]

#: In seconds.
_METRIC: Final = "celery.task.duration"
#: Of a message: the headers that a trace travels in.
_HEADER: Final = "wf_instrument_trace"
_UID: Final = "wf_instrument"

_running: dict[str, tuple[Any, float]] = {}


def install() -> None:
    """Record every task that is sent or run from now on; harmless when called again."""
    for signal, listener in _LISTENERS.items():
        getattr(signals, signal).connect(listener, weak=False, dispatch_uid=_UID)


def uninstall() -> None:
    """Record nothing any more; harmless when called again."""
    for signal in _LISTENERS:
        getattr(signals, signal).disconnect(dispatch_uid=_UID)


def _sending(headers: dict[str, Any] | None = None, **_: object) -> None:
    with guard("celery.send"):
        tracer = wf_instrument.get_tracer()
        span = tracer.active_span
        if span is not None and headers is not None:
            carrier: dict[str, str] = {}
            tracer.inject(span.context, opentracing.Format.TEXT_MAP, carrier)
            headers[_HEADER] = carrier


def _starting(task_id: str, task: Any, **_: object) -> None:
    with guard("celery.start"):
        # In a process of a worker, which serves no request.
        wf_instrument.start_reporting()
        tracer = wf_instrument.get_tracer()
        carrier = getattr(task.request, _HEADER, None)
        parent = tracer.extract(opentracing.Format.TEXT_MAP, carrier) if carrier else None
        scope = tracer.start_active_span(
            task.name,
            child_of=parent,
            tags={"component": "celery", "span.kind": "consumer", "celery.task.name": task.name},
        )
        _running[task_id] = (scope, time.perf_counter())


def _failing(task_id: str, exception: BaseException, **_: object) -> None:
    with guard("celery.failure"):
        scope, _begun = _running.get(task_id, (None, 0.0))
        if scope is not None:
            scope.span.set_error(exception)


def _ended(task_id: str, task: Any, state: str | None = None, **_: object) -> None:
    with guard("celery.end"):
        scope, begun_s = _running.pop(task_id, (None, 0.0))
        if scope is None:
            return
        tags = {"celery.task.name": task.name, "celery.task.state": state or "UNKNOWN"}
        scope.span.set_tag("celery.task.state", tags["celery.task.state"])
        scope.close()
        registry = wf_instrument.get_registry()
        wavefront_histogram(registry, _METRIC, tags).add(time.perf_counter() - begun_s)


def _process_ends(**_: object) -> None:
    # Its pool ends processes without what Python does at an exit.
    with guard("celery.shutdown"):
        wf_instrument.shutdown()


_LISTENERS: Final[dict[str, Any]] = {
    "before_task_publish": _sending,
    "task_prerun": _starting,
    "task_failure": _failing,
    "task_postrun": _ended,
    "worker_process_shutdown": _process_ends,
}
