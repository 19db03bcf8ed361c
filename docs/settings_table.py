"""Writes the table of settings into configuration.md: python docs/settings_table.py."""

from __future__ import annotations

import math
from pathlib import Path

from wf_instrument.settings import setting_rows

PAGE = Path(__file__).with_name("configuration.md")
MARK = "<!-- settings -->"


def table() -> str:
    """Return the table of all settings, in Markdown."""
    lines = [
        "| setting | variable | default | range | what it does |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in setting_rows():
        default = "" if row.default in ("", ()) else f"`{row.default}`"
        if isinstance(row.default, bool):
            default = f"`{str(row.default).lower()}`"
        limits = f"{row.minimum:g} – {row.maximum:g} {row.unit}" if row.minimum > -math.inf else ""
        lines.append(
            f"| `{row.name}` | `{row.variable}` | {default} | {limits.strip()} | {row.help} |"
        )
    return "\n".join(lines)


def page() -> str:
    """Return the page with the table as it should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARK)
    after = rest.partition(MARK)[2]
    return f"{before}{MARK}\n\n{table()}\n\n{MARK}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
