"""Durations as arguments: `10s`, `2m`, `1.5`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    SecondsType = click.ParamType[float]
else:
    # Generic only from click 8.2 on.
    SecondsType = click.ParamType

__all__ = ["SECONDS"]


class Seconds(SecondsType):
    """A duration such as `10s`, `2m` or `1.5`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|)", str(value).strip(), re.ASCII)
        if (
            match is None
            or not 0.1 <= (seconds := float(match[1]) * (60 if match[2] == "m" else 1)) <= 86400
        ):
            self.fail(f"{value!r} is no duration from 0.1s to 1440m; write 10s or 2m", param, ctx)
        return seconds


SECONDS: Final = Seconds()
