"""The arguments of `wf-instrument run`, read without click where nothing is odd about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.settings import setting_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["plain_arguments"]


def plain_arguments(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]] | None:
    """Return the command to run, and the options before it as the variables that say the same.

    Args:
        arguments: Those that follow `run`.

    Returns:
        None where click is to say what is wrong with them, or to show its help.
    """
    options = _Options()
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        argument = rest.pop(0)
        if argument == "--":
            break
        if not options.take(argument, rest):
            return None
    return (rest, options.variables) if rest else None


class _Options:
    """Reads options as `setting_options` makes them."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._flags: dict[str, tuple[str, str]] = {}
        for row in setting_rows():
            name = row.name.replace("_", "-")
            if row.type_name == "bool":
                self._flags[f"--{name}"] = row.variable, "true"
                self._flags[f"--no-{name}"] = row.variable, "false"
            else:
                self._values[f"--{name}"] = row.variable

    def take(self, argument: str, rest: list[str]) -> bool:
        """Take an option, and its value from `rest`; False when it is none, or has none."""
        if argument in self._flags:
            variable, value = self._flags[argument]
        else:
            name, has_value, value = argument.partition("=")
            if name not in self._values or not (has_value or rest):
                return False
            variable = self._values[name]
            value = value if has_value else rest.pop(0)
        self.variables[variable] = value
        return True
