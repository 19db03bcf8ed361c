"""The command's root: its commands, and how its errors are told."""

from __future__ import annotations

import sys

import click

from wf_instrument._version import __version__
from wf_instrument.cli.demo import demo
from wf_instrument.cli.doctor import doctor
from wf_instrument.cli.listing import list_parts
from wf_instrument.cli.run import run
from wf_instrument.cli.send import send
from wf_instrument.cli.spool import spool
from wf_instrument.cli.ui import ui
from wf_instrument.errors import ConfigError, StoreError, WFInstrumentError

__all__ = ["main"]

_FAILED = 1
#: Exit status for a wrong setting or argument, as click has it for wrong usage.
_WRONG_USE = 2
_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wf-instrument")
def commands() -> None:
    """See your web application: every request timed, counted and traced."""


commands.add_command(demo)
commands.add_command(doctor)
commands.add_command(list_parts)
commands.add_command(run)
commands.add_command(send)
commands.add_command(spool)
commands.add_command(ui)


def main() -> None:
    """Run the command; what goes wrong ends it with one sentence, a wrong setting with status 2."""
    try:
        status = commands.main(standalone_mode=False)
    except WFInstrumentError as error:
        click.echo(f"wf-instrument: {error}", err=True)
        sys.exit(_WRONG_USE if isinstance(error, ConfigError | StoreError) else _FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    # click hands back the status of --help and --version instead of leaving.
    sys.exit(status if isinstance(status, int) else 0)
