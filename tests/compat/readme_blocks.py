"""The code blocks of a README, ready to be run one after the other as its reader would."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BLOCK = re.compile(r"^#+ (?P<heading>[^\n]*)$|^```python\n(?P<code>.*?)^```$", re.S | re.M)
_RESULT = re.compile(r"^# Result of (\w+):\n((?:#.*\n|[ ]+#.*\n)+)", re.M)


def read_blocks(page: Path) -> dict[str, str]:
    """Return the Python code blocks of a page under their headings, in order."""
    blocks: dict[str, str] = {}
    heading = ""
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["heading"] is not None:
            heading = match["heading"].strip()
        else:
            blocks[heading] = blocks.get(heading, "") + match["code"]
    return blocks


def replaced(code: str, texts: Mapping[str, str]) -> str:
    """Return code with other texts, all of which must occur in it."""
    for old, new in texts.items():
        assert old in code, f"{old!r} does not occur"
        code = code.replace(old, new)
    return code


def stated_results(code: str) -> dict[str, str]:
    """Return what a block's comments say the values of its variables are.

    A value that goes over several comment lines is joined with a space, except within a word that
    was cut at a hyphen and after the two characters `\\n`.
    """
    results = {}
    for match in _RESULT.finditer(code):
        text = ""
        for line in match[2].splitlines():
            part = line.strip().lstrip("#").strip()
            text += part if not text or text.endswith(("-", "\\n")) else f" {part}"
        results[match[1]] = ast.literal_eval(text)
    return results
