"""Data that travel together, packed: one piece of bytes for a thousand lines, not a thousand texts.

Threads: immutable, so any.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Batch", "Block", "pack"]


@dataclass(frozen=True, slots=True)
class Block:
    """Some data in a row.

    Attributes:
        data: Their texts in UTF-8, or their bytes, one behind the other.
        lengths: The bytes of each, of type code `I`.
    """

    data: bytes
    lengths: array[int]

    def __len__(self) -> int:
        return len(self.lengths)

    def split(self) -> tuple[Block, Block]:
        """Return both halves of a block of two data or more."""
        half = len(self.lengths) // 2
        cut = sum(self.lengths[:half])
        return (
            Block(self.data[:cut], self.lengths[:half]),
            Block(self.data[cut:], self.lengths[half:]),
        )

    def parts(self, most: int, most_bytes: int) -> Iterator[Block]:
        """Cut into blocks of so many data and bytes at most, unless a single datum is larger."""
        first = begin = end = 0
        for index, length in enumerate(self.lengths):
            if index > first and (index - first >= most or end - begin + length > most_bytes):
                yield Block(self.data[begin:end], self.lengths[first:index])
                first, begin = index, end
            end += length
        if end > begin or len(self.lengths) > first:
            yield Block(self.data[begin:end], self.lengths[first:])

    def texts(self) -> list[str]:
        """Return each datum by itself."""
        cuts = accumulate(self.lengths, initial=0)
        return [self.data[begin:end].decode() for begin, end in pairwise(cuts)]


def pack(data: Sequence[str] | Sequence[bytes]) -> Block:
    """Pack texts or bytes, not both; what has no UTF-8 (lone surrogates) becomes `?`."""
    if data and isinstance(data[0], bytes):
        return Block(b"".join(cast("Sequence[bytes]", data)), array("I", map(len, data)))
    data = cast("Sequence[str]", data)
    text = "".join(data)
    packed = text.encode("utf-8", "replace")
    if len(packed) == len(text):
        return Block(packed, array("I", map(len, data)))
    return Block(packed, array("I", [len(one.encode("utf-8", "replace")) for one in data]))


class Batch:
    """What one request carries: blocks, first in first out."""

    __slots__ = ("blocks", "count")

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.blocks: tuple[Block, ...] = tuple(blocks)
        self.count = sum(map(len, self.blocks))

    def __len__(self) -> int:
        return self.count

    @classmethod
    def of(cls, data: Sequence[str] | Sequence[bytes]) -> Batch:
        """Return a batch of these texts, or bytes."""
        return cls([pack(data)] if data else ())

    @property
    def body(self) -> bytes:
        """All data in one piece."""
        return b"".join(self.pieces)

    @property
    def pieces(self) -> list[bytes]:
        """All data, in the pieces they are packed in: to be compressed one after the other."""
        return [block.data for block in self.blocks]

    @property
    def byte_size(self) -> int:
        """Bytes of the body."""
        return sum(len(block.data) for block in self.blocks)

    def texts(self) -> list[str]:
        """Return each datum by itself, for receivers that want them framed in another way."""
        return [text for block in self.blocks for text in block.texts()]

    def parts(self, most: int, most_bytes: int) -> list[Batch]:
        """Cut into batches of so many data and bytes at most, unless a single datum is larger."""
        if self.count <= most and self.byte_size <= most_bytes:
            return [self] if self.count else []
        return [Batch([part]) for block in self.blocks for part in block.parts(most, most_bytes)]

    @classmethod
    def joined(cls, batches: Iterable[Batch]) -> Batch:
        """Return the data of several batches as one."""
        return cls(block for batch in batches for block in batch.blocks)

    def split(self) -> tuple[Batch, Batch]:
        """Return both halves of a batch of two data or more."""
        if len(self.blocks) == 1:
            first, second = self.blocks[0].split()
            return Batch([first]), Batch([second])
        half = len(self.blocks) // 2
        return Batch(self.blocks[:half]), Batch(self.blocks[half:])

    def __add__(self, other: Batch) -> Batch:
        return Batch((*self.blocks, *other.blocks))
