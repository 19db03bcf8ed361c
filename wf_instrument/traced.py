"""Spans around code of one's own: `@trace` for functions of any kind, `with span(...)` for blocks.

The code behaves as without: return values, exceptions, signatures and kinds (coroutine, generator,
asynchronous generator) stay what they are. A generator's span is current while its body runs, not
while it is suspended, and lasts from its first step to its end.

Threads: any; the current span is a context variable.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, overload

from wf_instrument.errors import ConfigError
from wf_instrument.guard import caught
from wf_instrument.telemetry import default_telemetry
from wf_instrument.tracing.active import ACTIVE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator

    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.tracing.tracer import WavefrontTracer

__all__ = ["span", "trace"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _NoSpan:
    """Stands in where tracing is off or broken; takes what a span takes."""

    def __getattr__(self, name: str) -> Callable[..., _NoSpan]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ignore

    def _ignore(self, *args: object, **kwargs: object) -> _NoSpan:
        return self


_NO_SPAN: Final = _NoSpan()


@contextmanager
def span(name: str, /, **tags: object) -> Iterator[WavefrontSpan]:
    """Make a span of a block, a child of the current one; yields it.

    An exception is recorded in it and goes on. When tracing is off, what is yielded takes every
    call and does nothing.

    Args:
        name: The operation.
        tags: Its tags; `key__part` stands for `key.part`.
    """
    made = _start(name, {key.replace("__", "."): value for key, value in tags.items()})
    if made is None:
        yield _NO_SPAN  # type: ignore[misc]  # takes what a span takes
        return
    before = ACTIVE.get()
    ACTIVE.set(made)
    try:
        yield made
    except GeneratorExit:
        raise
    except BaseException as error:
        _record(made, error)
        raise
    finally:
        ACTIVE.set(before)
        made.finish()


@overload
def trace(function: Callable[_P, _R], /) -> Callable[_P, _R]: ...


@overload
def trace(
    name: str | None = None, /, *, arguments: Iterable[str] = (), **tags: object
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...


def trace(function: Any = None, /, *, arguments: Iterable[str] = (), **tags: object) -> Any:
    """Make a span of each call of a function, coroutine function, generator or async generator.

    `@trace`, `@trace("name")` or `@trace(arguments=["user_id"], component="prices")`.

    Args:
        function: The function; or the operation's name, by default the function's qualified one.
        arguments: Parameters whose values become tags; no other ones do.
        tags: Tags of every span; `key__part` stands for `key.part`.

    Raises:
        ConfigError: The function has no such parameter; told where it is defined.
    """
    if function is not None and not isinstance(function, str):
        return _wrapped(function, None, (), {})
    fixed = {key.replace("__", "."): value for key, value in tags.items()}
    return lambda func: _wrapped(func, function, tuple(arguments), fixed)


def _wrapped(
    function: Any, name: str | None, arguments: tuple[str, ...], tags: dict[str, object]
) -> Any:
    if not callable(function):
        raise ConfigError(f"@trace is for functions, not {type(function).__name__}")
    operation = name or getattr(function, "__qualname__", None) or type(function).__name__
    tags_of = _tag_maker(function, arguments, tags)
    if inspect.isasyncgenfunction(function):
        return _around_async_generator(function, operation, tags_of)
    if inspect.isgeneratorfunction(function):
        return _around_generator(function, operation, tags_of)
    if inspect.iscoroutinefunction(function):
        return _around_coroutine(function, operation, tags_of)
    return _around_call(function, operation, tags_of)


_TagsOf = Any  # Callable[[tuple[Any, ...], dict[str, Any]], dict[str, object]], too long to repeat


def _tag_maker(function: Any, arguments: tuple[str, ...], tags: dict[str, object]) -> _TagsOf:
    if not arguments:
        return lambda args, kwargs: tags
    signature = inspect.signature(function)
    unknown = [name for name in arguments if name not in signature.parameters]
    if unknown:
        raise ConfigError(
            f"@trace: {function!r} has no parameter {unknown[0]!r}; "
            f"it has: {', '.join(signature.parameters)}"
        )

    def tags_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, object]:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return tags  # the call itself will say so
        bound.apply_defaults()
        return {**tags, **{name: bound.arguments[name] for name in arguments}}

    return tags_of


def _around_call(function: Any, operation: str, tags_of: _TagsOf) -> Any:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        made = _start(operation, tags_of(args, kwargs))
        if made is None:
            return function(*args, **kwargs)
        before = ACTIVE.get()
        ACTIVE.set(made)
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            _record(made, error)
            raise
        finally:
            ACTIVE.set(before)
            made.finish()

    return traced


def _around_coroutine(function: Any, operation: str, tags_of: _TagsOf) -> Any:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        made = _start(operation, tags_of(args, kwargs))
        if made is None:
            return await function(*args, **kwargs)
        before = ACTIVE.get()
        ACTIVE.set(made)
        try:
            return await function(*args, **kwargs)
        except BaseException as error:
            _record(made, error)
            raise
        finally:
            ACTIVE.set(before)
            made.finish()

    return traced


def _around_generator(function: Any, operation: str, tags_of: _TagsOf) -> Any:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body = function(*args, **kwargs)
        made = _start(operation, tags_of(args, kwargs))
        if made is None:
            return (yield from body)
        return (yield from _driven(body, made))

    return traced


def _driven(body: Generator[Any, Any, Any], made: WavefrontSpan) -> Generator[Any, Any, Any]:
    """Run a generator with its span current in each step."""
    step: Callable[[], Any] = functools.partial(next, body)
    try:
        while True:
            try:
                item = _with(made, step)
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield item
            except GeneratorExit:
                _with(made, body.close)
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in, and passed on
                step = functools.partial(body.throw, error)
            else:
                step = functools.partial(body.send, sent)
    except GeneratorExit:
        raise
    except BaseException as error:
        _record(made, error)
        raise
    finally:
        made.finish()


def _around_async_generator(function: Any, operation: str, tags_of: _TagsOf) -> Any:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        body = function(*args, **kwargs)
        made = _start(operation, tags_of(args, kwargs))
        step: Callable[[], Awaitable[Any]] = body.__anext__
        try:
            while True:
                try:
                    item = await _with_async(made, step)
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await _with_async(made, body.aclose)
                    raise
                except BaseException as error:  # noqa: BLE001 - thrown in, and passed on
                    step = functools.partial(body.athrow, error)
                else:
                    step = functools.partial(body.asend, sent)
        except GeneratorExit:
            raise
        except BaseException as error:
            if made is not None:
                _record(made, error)
            raise
        finally:
            if made is not None:
                made.finish()

    return traced


def _with(made: WavefrontSpan, step: Callable[[], Any]) -> Any:
    before = ACTIVE.get()
    ACTIVE.set(made)
    try:
        return step()
    finally:
        ACTIVE.set(before)


async def _with_async(made: WavefrontSpan | None, step: Callable[[], Awaitable[Any]]) -> Any:
    if made is None:
        return await step()
    before = ACTIVE.get()
    ACTIVE.set(made)
    try:
        return await step()
    finally:
        ACTIVE.set(before)


def _start(operation: str, tags: dict[str, object]) -> WavefrontSpan | None:
    """Return a new span, None when there shall or can be none."""
    try:
        active = ACTIVE.get()
        # A program's own tracer, if it is at work here; else that of the process.
        tracer = active.tracer if active is not None else _default_tracer()
        return None if tracer is None else tracer.start_span(operation, tags=tags)
    except Exception as error:  # noqa: BLE001 - the traced code must run all the same
        caught("trace", error)
        return None


def _default_tracer() -> WavefrontTracer | None:
    telemetry = default_telemetry()
    settings = telemetry.settings
    if not (settings.enabled and settings.spans):
        return None
    if not telemetry.pipeline.is_running:
        # A process that serves no request, of a queue's worker say, reports nothing otherwise.
        telemetry.pipeline.start()
    return telemetry.tracer


def _record(made: WavefrontSpan, error: BaseException) -> None:
    try:
        made.set_error(error)
    except Exception as failure:  # noqa: BLE001 - an exception's own text may raise
        caught("trace", failure)
