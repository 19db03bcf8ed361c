"""Telling the user of a program that does not know us, in one line."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["say"]


def say(text: object) -> None:
    """Write one line to standard error: the program has not set up logging yet, or never will."""
    line = " ".join(str(text).split())
    # A daemon may have closed it.
    with contextlib.suppress(Exception):
        sys.stderr.write(f"wf-instrument: {line}\n")
        sys.stderr.flush()
