"""Options of a command, made from the table of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from wf_instrument.settings import setting_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wf_instrument.settings import SettingRow

__all__ = ["given_variables", "setting_options"]

_Function = TypeVar("_Function", bound="Callable[..., object]")


def setting_options(function: _Function) -> _Function:
    """Give a command one option for each setting; its values arrive as text."""
    for row in reversed(setting_rows()):
        function = _option(row)(function)
    return function


def given_variables(values: Mapping[str, str | None]) -> dict[str, str]:
    """Return the options that were given, as the variables that say the same."""
    rows = {row.name: row for row in setting_rows()}
    return {rows[name].variable: text for name, text in values.items() if text is not None}


def _option(row: SettingRow) -> Callable[[_Function], _Function]:
    name = row.name.replace("_", "-")
    text = f"{row.help.rstrip('.')} [{row.variable}]"
    if row.type_name == "bool":
        flags = f"--{name}/--no-{name}"
        return click.option(flags, row.name, default=None, help=text, callback=_as_text)
    return click.option(f"--{name}", row.name, default=None, metavar="VALUE", help=text)


def _as_text(context: object, option: object, value: bool | None) -> str | None:
    return None if value is None else str(value).lower()
