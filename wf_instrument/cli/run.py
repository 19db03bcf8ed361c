"""`wf-instrument run`: any server command, its applications instrumented without a change."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from wf_instrument.auto.discovery import installed_integrations, unknown_names
from wf_instrument.auto.environment import environment_for
from wf_instrument.auto.notice import say
from wf_instrument.auto.start import ASKED_FOR
from wf_instrument.cli.setting_options import given_variables, setting_options
from wf_instrument.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wf_instrument.settings import Settings

__all__ = ["run"]

#: As shells have it, of a command that is not there, or is none.
_NOT_FOUND: Final = 127
_NO_COMMAND: Final = 126


@click.command(context_settings={"allow_interspersed_args": False})
@setting_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **values: str | None) -> None:
    """Run COMMAND, and see what its applications do.

    For example: wf-instrument run --service shop -- gunicorn --workers 4 shop:app

    The command's process takes the place of this one. What is wrong in the settings is told, and
    the command runs all the same.
    """
    environ = {**os.environ, **given_variables(values)}
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


def _become(command: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Replace this process, so that signals and the exit status are the command's own."""
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - the command the user typed
    except OSError as error:
        say(f"cannot run {command[0]!r}: {error.strerror}")
        sys.exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NO_COMMAND)
