"""RESULTS.md: each benchmark owns one marked section of it."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["RESULTS", "keep", "machine", "progress", "spread", "table", "which_path"]

RESULTS = Path(__file__).with_name("RESULTS.md")


def machine() -> str:
    """Return what the figures were measured on."""
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"


def which_path() -> str:
    """Return which of our request paths this process runs: in Python, or compiled."""
    # Imported late: what is not measured with us should not hold us.
    from wf_instrument import speed

    return "compiled" if speed.IS_COMPILED else "pure Python"


def progress(text: str, *, is_last: bool = False) -> None:
    """Tell on stderr how far a benchmark is."""
    sys.stderr.write(f"\r{text:<70}" + ("\n" if is_last else ""))
    sys.stderr.flush()


def spread(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Return median, minimum, first and third quartile."""
    if len(values) == 1:
        return (values[0],) * 4
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, min(values), low, high


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table: texts in the first column, figures in the others."""
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def keep(mark: str, text: str, command: str) -> None:
    """Put a benchmark's section into RESULTS.md, in place of the one before."""
    page = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n"
    fence = f"<!-- {mark} -->"
    section = f"{fence}\n{text.strip()}\n\nMade by `{command}`.\n{fence}"
    if fence in page:
        before, _, rest = page.partition(fence)
        page = before + section + rest.partition(fence)[2]
    else:
        page = f"{page.rstrip()}\n\n{section}\n"
    RESULTS.write_text(page, encoding="utf-8")
