"""`wf-instrument run`: any server command, its applications instrumented without a change."""

from __future__ import annotations

import click

from wf_instrument.cli.setting_options import given_variables, setting_options
from wf_instrument.cli.takeover import become

__all__ = ["run"]


@click.command(context_settings={"allow_interspersed_args": False})
@setting_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **values: str | None) -> None:
    """Run COMMAND, and see what its applications do.

    For example: wf-instrument run --service shop -- gunicorn --workers 4 shop:app

    The command's process takes the place of this one. What is wrong in the settings is told, and
    the command runs all the same.
    """
    become(list(command), given_variables(values))
