"""Streamed bodies that the sites of asynchronous frameworks share, and the folder of files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["STATIC", "broken", "endless", "lines", "slow"]

STATIC: Final = Path(__file__).parent / "static"


def lines() -> Iterator[str]:
    """Yield five lines, 35 bytes together."""
    for number in range(5):
        yield f"line {number}\n"


async def broken() -> AsyncIterator[str]:
    """Raise after the first part."""
    yield "first\n"
    raise OSError("disk gone")


async def slow() -> AsyncIterator[bytes]:
    """Yield 5,000 bytes in a fifth of a second."""
    for _ in range(5):
        await asyncio.sleep(0.04)
        yield b"x" * 1000


async def endless() -> AsyncIterator[bytes]:
    """Yield more than a client waits for."""
    for _ in range(100_000):
        yield b"x" * 65536
        await asyncio.sleep(0)
