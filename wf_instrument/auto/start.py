"""Starting: from here on, what the program imports is instrumented.

Threads: `auto_instrument` is for the start of a program; hooks run in the thread that imports.
Locks: none, so nothing to reset in a forked child.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.auto.after_import import after_import
from wf_instrument.auto.made import instrument_when_made
from wf_instrument.auto.notice import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wf_instrument.auto.found import Integration
    from wf_instrument.settings import Settings

__all__ = ["auto_instrument", "watch"]

#: Integrations that do something only when a setting asks for it.
ASKED_FOR: Final = {"logging": "log_ids", "structlog": "log_ids"}

_watched: set[str] = set()


def auto_instrument(**settings: object) -> None:
    """Instrument what is imported, and the applications that are made, from now on.

    For the first lines of a program, before it imports its framework; `wf-instrument run` does
    the same without them. What is wrong in environment and settings file is told in one line each,
    and the program goes on. Harmless when called again.

    Args:
        settings: Any setting of `Settings`.

    Raises:
        ConfigError: An argument is wrong.
    """
    from wf_instrument.auto.discovery import installed_integrations, unknown_names
    from wf_instrument.settings import load_settings

    resolved = load_settings(settings, on_problem=say)
    known = installed_integrations()
    for sentence in unknown_names(resolved.disabled, known):
        say(sentence)
    if resolved.enabled:
        asked = {name for name, setting in ASKED_FOR.items() if getattr(resolved, setting)}
        watch(known, disabled=resolved.disabled, asked=asked, settings=lambda: resolved)


def watch(
    integrations: Iterable[Integration],
    *,
    disabled: Iterable[str],
    asked: Iterable[str],
    settings: Callable[[], Settings],
) -> None:
    """Use each integration when its package is imported.

    Args:
        integrations: All that are installed.
        disabled: Names of those that are not wanted.
        asked: Names of those that are used only when a setting asks for it, and are.
        settings: Called before the first one is used; what everything is recorded with.
    """
    unwanted = {*disabled, *(ASKED_FOR.keys() - set(asked))}
    settings_once = functools.cache(settings)
    for one in integrations:
        if one.trigger and one.name not in unwanted and one.name not in _watched:
            _watched.add(one.name)
            after_import(one.trigger, functools.partial(_use, one, settings_once))


def _use(integration: Integration, settings: Callable[[], Settings]) -> None:
    """Load an integration and have it do its work; say so if it cannot."""
    if integration.why_not:
        say(f"{integration.why_not}; it is not instrumented")
        return
    try:
        module_name, _, attribute = integration.value.partition(":")
        module: Any = import_module(module_name)
        function = functools.reduce(getattr, attribute.split("."), module)
        _set_defaults(settings())
        classes = getattr(module, "APPLICATION_CLASSES", None)
        if classes is None:
            function()
        for kind in classes or ():
            instrument_when_made(kind, functools.partial(_instrument, integration.name, function))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to others' code
        by = f" of {integration.provider}" if integration.provider else ""
        say(f"integration {integration.name!r}{by} cannot be used: {type(error).__name__}: {error}")


def _set_defaults(settings: Settings) -> None:
    from wf_instrument.telemetry import default_to

    default_to(settings)


def _instrument(name: str, instrument_app: Callable[..., object], app: object) -> None:
    try:
        from wf_instrument.automatic import automatically

        with automatically(app):
            instrument_app(app)
    except Exception as error:  # noqa: BLE001 - the border to the application
        from wf_instrument.errors import ConfigError
        from wf_instrument.guard import caught

        if isinstance(error, ConfigError):
            _say_once(f"an application of {name} is not instrumented: {error}")
        else:
            caught(f"auto.{name}", error)


_said: set[str] = set()


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        say(text)
