"""A bar chart as SVG: groups of horizontal bars. No I/O but the file it writes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["write_bars"]

LABELS, BARS, FIGURES, ROW, GAP = 250, 520, 70, 18, 30
COLOURS = ("#9aa0a6", "#1a73e8", "#0b57d0", "#174ea6", "#12b5cb", "#e8710a", "#9334e6", "#d93025")


def write_bars(path: Path, title: str, groups: Mapping[str, Mapping[str, float]]) -> None:
    """Draw a bar for each value; the same name has the same colour in every group."""
    names = list(dict.fromkeys(name for bars in groups.values() for name in bars))
    longest = max(value for bars in groups.values() for value in bars.values())
    width = LABELS + BARS + FIGURES
    drawn, y = [], 40
    for group, bars in groups.items():
        drawn.append(f'<text x="10" y="{y + 13}" font-weight="bold">{escape(group)}</text>')
        y += ROW + 4
        for name, value in bars.items():
            length = max(1.0, value / longest * BARS)
            colour = COLOURS[names.index(name) % len(COLOURS)]
            drawn += [
                f'<text x="{LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="14" fill="{colour}"/>',
                f'<text x="{LABELS + length + 6:.1f}" y="{y + 13}">{value:,.1f}</text>',
            ]
            y += ROW
        y += GAP - ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" '
        f'viewBox="0 0 {width} {y}" font-family="sans-serif" font-size="12" fill="#202124">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<text x="10" y="22" font-size="15">{escape(title)}</text>'
    )
    path.write_text("\n".join([head, *drawn, "</svg>"]) + "\n", encoding="utf-8")
