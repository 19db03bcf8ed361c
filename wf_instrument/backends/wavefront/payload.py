"""Cutting data into batches and packing them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["chunks", "gzip_compress"]

_Datum = TypeVar("_Datum")


def chunks(data_list: Sequence[_Datum], batch_size: int) -> Iterator[Sequence[_Datum]]:
    """Yield parts of `batch_size` data, the last one maybe shorter.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch size is {batch_size!r}; give 1 or more")
    for start in range(0, len(data_list), batch_size):
        yield data_list[start : start + batch_size]


def gzip_compress(data: bytes, compresslevel: int = 9) -> bytes:
    """Return data as gzip has it, always the same for the same data."""
    return gzip.compress(data, compresslevel, mtime=0)
