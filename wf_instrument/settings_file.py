"""The settings file of a folder: `wf_instrument.toml`, or a table of `pyproject.toml`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FILE_NAME", "read_settings_file"]

FILE_NAME: Final = "wf_instrument.toml"


def read_settings_file(folder: Path) -> tuple[Path, Mapping[str, object]]:
    """Return the first settings file of `folder` and its table; an empty table without one.

    Raises:
        ConfigError: The file cannot be read, or its table is none.
    """
    own, project = folder / FILE_NAME, folder / "pyproject.toml"
    if os.path.isfile(own):  # noqa: PTH113 - Path.is_file raises in a folder one may not search
        return own, _parse_toml(own)
    # Somebody else's file: one we may not read is none of our business.
    if os.access(project, os.R_OK):
        tool = _parse_toml(project).get("tool")
        table = tool.get("wf_instrument", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise ConfigError(
                f"settings file {project}: tool.wf_instrument is {table!r}; "
                "write a table [tool.wf_instrument]"
            )
        return project, table
    return own, {}


def _parse_toml(path: Path) -> dict[str, object]:
    # Imported here: only who has such a file pays for the parser.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"settings file {path} cannot be read: {exc}") from exc
    return table
