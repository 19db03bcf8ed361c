"""Becoming the command that `wf-instrument run` was given, its processes told to instrument."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from wf_instrument.auto.discovery import installed_integrations, unknown_names
from wf_instrument.auto.environment import environment_for
from wf_instrument.auto.notice import say
from wf_instrument.auto.start import ASKED_FOR
from wf_instrument.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wf_instrument.settings import Settings

__all__ = ["become"]

#: As shells have it, of a command that is not there, or is none.
_NOT_FOUND: Final = 127
_NO_COMMAND: Final = 126


def become(command: list[str], variables: Mapping[str, str]) -> NoReturn:
    """Replace this process by the command; what is wrong in the settings is told.

    Args:
        command: The program and its arguments.
        variables: What options say, as variables of the environment; they win over it.
    """
    environ = {**os.environ, **variables}
    settings = load_settings(environ=environ, on_problem=say)
    if settings.enabled:
        known = installed_integrations()
        for sentence in unknown_names(settings.disabled, known):
            say(sentence)
        _tell_where(settings)
        environ = environment_for(settings, known, ASKED_FOR, environ)
    else:
        say("setting enabled is off: nothing is instrumented")
    _become(command, environ)


def _tell_where(settings: Settings) -> None:
    if settings.reporter:
        return
    from wf_instrument.backends.local import default_path
    from wf_instrument.errors import ConfigError

    try:
        path = default_path(settings.service)
    except ConfigError as problem:
        say(problem)
        return
    say(
        f"no reporter is configured: what is recorded goes to the local store; "
        f"`wf-instrument ui {path}` shows it"
    )


def _become(command: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process, so that signals and the exit status are the command's own."""
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - the command the user typed
    except OSError as error:
        say(f"cannot run {command[0]!r}: {error.strerror}")
        sys.exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NO_COMMAND)
