"""The command's root: its commands, each loaded when it is used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

from wf_instrument._version import __version__

__all__ = ["run_commands"]

#: Where each command is; a command is imported when it is used, or its help is shown.
_HOMES: Final = {
    "demo": "wf_instrument.cli.demo:demo",
    "doctor": "wf_instrument.cli.doctor:doctor",
    "list": "wf_instrument.cli.listing:list_parts",
    "run": "wf_instrument.cli.run:run",
    "send": "wf_instrument.cli.send:send",
    "spool": "wf_instrument.cli.spool:spool",
    "ui": "wf_instrument.cli.ui:ui",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        home = _HOMES.get(cmd_name)
        if home is None:
            return None
        module, _, name = home.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wf-instrument")
def commands() -> None:
    """See your web application: every request timed, counted and traced."""


def run_commands() -> None:
    """Run what the arguments ask for; wrong usage ends it with a sentence and status 2."""
    try:
        status = commands.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        raise KeyboardInterrupt from None
    # click hands back the status of --help and --version instead of leaving.
    sys.exit(status if isinstance(status, int) else 0)
