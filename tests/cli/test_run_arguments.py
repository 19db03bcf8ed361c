"""`wf-instrument run` reads its arguments without click as click reads them."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.cli.plain_run import plain_arguments
from wf_instrument.cli.run import run
from wf_instrument.cli.setting_options import given_variables

#: Whole arguments, and halves of them; what is drawn need not make sense.
PIECES = [
    "--service", "--service=shop", "--service=", "--tick-s", "--tick-s=2", "--tick_s=2", "--spans",
    "--no-spans", "--spans=true", "--no-service", "--serv=x", "--help", "-h", "-", "--", "", "-x",
    "0.5", "shop", "python", "-m", "app.py", "--reporter", "null://?a=b",
]  # fmt: skip


def by_click(arguments: list[str]) -> tuple[list[str], dict[str, str]] | None:
    """Return what click makes of arguments, None where it refuses them or shows its help."""
    try:
        values = run.make_context("run", list(arguments)).params
    except (click.ClickException, click.exceptions.Exit):
        return None
    command = values.pop("command")
    return list(command), given_variables(values)


@pytest.mark.parametrize(
    ("arguments", "command", "variables"),
    [
        (["--", "python", "-m", "app"], ["python", "-m", "app"], {}),
        (["gunicorn", "--", "shop:app"], ["gunicorn", "--", "shop:app"], {}),
        (["--service", "shop", "--tick-s=2", "x"], ["x"], {"WF_SERVICE": "shop", "WF_TICK": "2"}),
        (["--spans", "--no-spans", "--", "x"], ["x"], {"WF_SPANS": "false"}),
        (["--log-ids", "--", "--odd"], ["--odd"], {"WF_LOG_IDS": "true"}),
    ],
)
def test_usual_arguments_need_no_click(
    arguments: list[str], command: list[str], variables: dict[str, str]
) -> None:
    assert plain_arguments(arguments) == (command, variables)
    assert by_click(arguments) == (command, variables)


@given(arguments=st.lists(st.sampled_from(PIECES), max_size=5))
def test_what_is_read_without_click_is_what_click_reads(arguments: list[str]) -> None:
    read = plain_arguments(arguments)
    if read is not None:
        assert read == by_click(arguments)


@pytest.mark.parametrize(
    "arguments", [[], ["--"], ["--help"], ["--service"], ["--servise", "x"], ["--spans=true", "x"]]
)
def test_help_and_mistakes_are_left_to_click(arguments: list[str]) -> None:
    assert plain_arguments(arguments) is None
