"""The application's own functions, called when a request begins and when its response does.

Threads: hooks run in the thread or task that serves the request, with its span active.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wf_instrument.errors import ConfigError
from wf_instrument.guard import caught
from wf_instrument.tracing.active import ACTIVE

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["NO_HOOKS", "Hooks", "run_hook", "taken_hooks"]

Hook = Callable[..., object]

_REQUEST_NAMES: Final = ("request_hook", "start_span_cb")


class Hooks(NamedTuple):
    """What to call.

    Attributes:
        request: Each called as `hook(span, request)`; `request` is the environ or the scope.
        response: Called as `hook(span, request, status, headers)`; `headers` is a list of pairs
            of text, a copy.
    """

    request: tuple[Hook, ...] = ()
    response: Hook | None = None


NO_HOOKS: Final = Hooks()


def taken_hooks(arguments: dict[str, object]) -> Hooks:
    """Take `request_hook`, `start_span_cb` and `response_hook` out of the arguments.

    Raises:
        ConfigError: One of them cannot be called, or is a coroutine function.
    """
    begun = tuple(hook for name in _REQUEST_NAMES if (hook := _taken(arguments, name)) is not None)
    return Hooks(begun, _taken(arguments, "response_hook"))


def _taken(arguments: dict[str, object], name: str) -> Hook | None:
    hook = arguments.pop(name, None)
    if hook is None:
        return None
    if not callable(hook) or inspect.iscoroutinefunction(hook):
        raise ConfigError(f"argument {name!r} is {hook!r}; expected a plain function, not async")
    return hook


def run_hook(name: str, hook: Hook, span: WavefrontSpan, *arguments: Any) -> None:
    """Call a hook with the span active; what it raises is caught and counted."""
    before = ACTIVE.get()
    ACTIVE.set(span)
    try:
        returned = hook(span, *arguments)
        if isinstance(returned, CoroutineType):
            returned.close()  # or Python warns of it in the middle of the application
            raise TypeError(f"{name} returned a coroutine, which nobody awaits")
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught(f"hooks.{name}", error)
    finally:
        ACTIVE.set(before)
