"""Trace and span ids, from a generator that a forked child seeds anew.

Threads: `getrandbits` is one C call, atomic under the GIL and locked in free-threaded builds.
Fork: the child seeds from the operating system, or it would repeat the parent's ids.
"""

from __future__ import annotations

import os
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["bits", "new_span_id", "new_trace_id", "seeded_ids"]

_random = random.Random()
#: So many random bits; another function within `seeded_ids`, so look it up at each call.
bits: Callable[[int], int] = _random.getrandbits


def new_trace_id() -> int:
    """Return 128 random bits, never all zero."""
    return bits(128) or 1


def new_span_id() -> int:
    """Return 64 random bits, never all zero."""
    return bits(64) or 1


@contextmanager
def seeded_ids(seed: int) -> Iterator[None]:
    """Make the ids of a block the same in every run, for tests."""
    global bits
    bits = random.Random(seed).getrandbits
    try:
        yield
    finally:
        bits = _random.getrandbits


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)
