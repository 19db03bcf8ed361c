"""Decorators that count, mark and time the calls of a function, and helpers of the same registry.

All use pyformance's global registry as it is at the time of the call. Of a coroutine function the
awaited call is meant, not the making of the coroutine.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, cast

from wf_instrument.metrics.pyformance_shim import global_registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.metrics.pyformance_shim import Counter, Gauge, Histogram, Meter, Timer

    #: Entered around a call; called with what it returned.
    Around = Callable[[], tuple[AbstractContextManager[Any], Callable[[object], None]]]

__all__ = [
    "clear",
    "count_calls",
    "count_calls_with_dims",
    "counter",
    "dump_metrics",
    "gauge",
    "hist_calls",
    "hist_calls_with_dims",
    "histogram",
    "meter",
    "meter_calls",
    "meter_calls_with_dims",
    "time_calls",
    "time_calls_with_dims",
    "timer",
]

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def counter(key: str, **dims: object) -> Counter:
    """Return a counter of the global registry."""
    return global_registry().counter(key, **dims)


def gauge(key: str, gauge: Any = None, default: float = float("nan"), **dims: object) -> Gauge:
    """Return a gauge of the global registry."""
    return global_registry().gauge(key, gauge, default, **dims)


def histogram(key: str, **dims: object) -> Histogram:
    """Return a histogram of the global registry."""
    return global_registry().histogram(key, **dims)


def meter(key: str, **dims: object) -> Meter:
    """Return a meter of the global registry."""
    return global_registry().meter(key, **dims)


def timer(key: str, **dims: object) -> Timer:
    """Return a timer of the global registry."""
    return global_registry().timer(key, **dims)


def dump_metrics() -> dict[str, dict[str, Any]]:
    """Return the values of the global registry."""
    found: dict[str, dict[str, Any]] = global_registry().dump_metrics()
    return found


def clear() -> None:
    """Forget the metrics of the global registry."""
    global_registry().clear()


def count_calls(fn: _Function) -> _Function:
    """Count the calls of a function."""
    return count_calls_with_dims()(fn)


def meter_calls(fn: _Function) -> _Function:
    """Mark the calls of a function on a meter."""
    return meter_calls_with_dims()(fn)


def hist_calls(fn: _Function) -> _Function:
    """Add what a function returns to a histogram, if it is an int or a float."""
    return hist_calls_with_dims()(fn)


def time_calls(fn: _Function) -> _Function:
    """Time the calls of a function, those that raise too."""
    return time_calls_with_dims()(fn)


def count_calls_with_dims(**dims: object) -> Callable[[_Function], _Function]:
    """Count the calls of a function, with dimensions."""

    def begin(name: str) -> Around:
        def around() -> tuple[AbstractContextManager[Any], Callable[[object], None]]:
            counter(name, **dims).inc()
            return nullcontext(), _ignore

        return around

    return lambda fn: _decorated(fn, begin)


def meter_calls_with_dims(**dims: object) -> Callable[[_Function], _Function]:
    """Mark the calls of a function on a meter, with dimensions."""

    def begin(name: str) -> Around:
        def around() -> tuple[AbstractContextManager[Any], Callable[[object], None]]:
            meter(name, **dims).mark()
            return nullcontext(), _ignore

        return around

    return lambda fn: _decorated(fn, begin)


def hist_calls_with_dims(**dims: object) -> Callable[[_Function], _Function]:
    """Add what a function returns to a histogram, with dimensions."""

    def begin(name: str) -> Around:
        def around() -> tuple[AbstractContextManager[Any], Callable[[object], None]]:
            metric = histogram(name, **dims)

            def add(value: object) -> None:
                if type(value) in (int, float):  # not True, which is an int to `isinstance`
                    metric.add(value)

            return nullcontext(), add

        return around

    return lambda fn: _decorated(fn, begin)


def time_calls_with_dims(**dims: object) -> Callable[[_Function], _Function]:
    """Time the calls of a function, with dimensions."""

    def begin(name: str) -> Around:
        called = name.removesuffix("_calls")

        def around() -> tuple[AbstractContextManager[Any], Callable[[object], None]]:
            return timer(name, **dims).time(fn=called), _ignore

        return around

    return lambda fn: _decorated(fn, begin)


def _decorated(fn: _Function, begin: Callable[[str], Around]) -> _Function:
    around = begin(f"{fn.__qualname__}_calls")
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            block, returned = around()
            with block:
                value = await fn(*args, **kwargs)
            returned(value)
            return value

    else:

        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            block, returned = around()
            with block:
                value = fn(*args, **kwargs)
            returned(value)
            return value

    return cast("_Function", wrapper)


def _ignore(_: object) -> None:
    """Do nothing with what a function returned."""
