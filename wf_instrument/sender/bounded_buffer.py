"""What waits of one kind of data: bounded, first in first out, handed out in batches.

Data are texts or bytes; of one kind all are the same.

Threads: its owner locks.
Loss: none here; what does not fit is refused, and its owner counts it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, cast

from wf_instrument.sender.batch import Batch, Block, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BoundedBuffer"]

#: Data packed together: enough to save the memory of single texts, few enough to pack in passing.
_BLOCK_SIZE: Final = 1000
_BLOCK_CHARACTERS: Final = 131_072


class BoundedBuffer:
    """A bounded queue of texts.

    A batch that is taken still counts as waiting until it is settled, or comes back.

    Args:
        capacity: Data that fit.
        capacity_bytes: Bytes that fit, packed; the data not yet packed count by character.
        batch_size: Data of one batch at most.
        batch_bytes: Bytes of one batch at most, unless a single datum is larger.

    Attributes:
        accepted: How many data were ever taken in.
        settled: How many of them have left since.
        byte_size: Bytes of what waits; what is not yet packed counts by character.
    """

    def __init__(
        self, capacity: int, capacity_bytes: int, batch_size: int, batch_bytes: int
    ) -> None:
        self.capacity = capacity
        self.capacity_bytes = capacity_bytes
        self.batch_size = batch_size
        self.batch_bytes = batch_bytes
        self.accepted = 0
        self.settled = 0
        self.byte_size = 0
        self._block_size = min(_BLOCK_SIZE, batch_size)
        self._block_characters = min(_BLOCK_CHARACTERS, batch_bytes)
        self._packed: deque[Block] = deque()
        self._loose: list[str | bytes] = []
        self._loose_characters = 0
        # What was taken, and is neither settled nor back.
        self._out_count = 0
        self._out_bytes = 0

    def __len__(self) -> int:
        return self.accepted - self.settled

    @property
    def has_more(self) -> bool:
        """Whether something waits that was not taken."""
        return bool(self._loose or self._packed)

    def offer(self, datum: str | bytes) -> int:
        """Take a datum in; return how many wait then, 0 when there is no room for it."""
        size = len(datum)
        waiting = self.accepted - self.settled
        if waiting >= self.capacity or self.byte_size + size > self.capacity_bytes:
            return 0
        try:
            if self._loose_characters + size > self._block_characters and self._loose:
                self._pack()
            self._loose.append(datum)
            self._loose_characters += size
            self.byte_size += size
            self.accepted += 1
            if len(self._loose) >= self._block_size:
                self._pack()
        except BaseException:  # a signal handler of the application may raise anywhere
            self._recount()
            raise
        return waiting + 1

    def take(self, least: int = 0, least_bytes: int = 0) -> Batch:
        """Return the next batch, empty when nothing waits. It has to be settled or put back.

        Args:
            least: So many data may be in it although the batches of requests are smaller.
            least_bytes: So many bytes, too.
        """
        most, most_bytes = max(self.batch_size, least), max(self.batch_bytes, least_bytes)
        blocks: list[Block] = []
        count = size = 0
        while True:
            if not self._packed:
                if not self._loose:
                    break
                self._pack()
            block = self._packed[0]
            count += len(block)
            size += len(block.data)
            if blocks and (count > most or size > most_bytes):
                break
            blocks.append(self._packed.popleft())
        batch = Batch(blocks)
        self._out_count += batch.count
        self._out_bytes += batch.byte_size
        return batch

    def put_back(self, batch: Batch) -> None:
        """Let a batch that failed have its place at the front again."""
        self._packed.extendleft(reversed(batch.blocks))
        self._out_count -= batch.count
        self._out_bytes -= batch.byte_size

    def settle(self, batch: Batch) -> None:
        """Let go of a batch that was taken."""
        self.settled += batch.count
        self._out_count -= batch.count
        size = batch.byte_size
        self.byte_size -= size
        self._out_bytes -= size

    def _pack(self) -> None:
        loose: list[str | bytes] = []
        blocks: list[Block] = []
        try:
            # Taken away first: a finalizer that runs while this packs may offer.
            loose, self._loose = self._loose, []
            characters, self._loose_characters = self._loose_characters, 0
            blocks = self._blocks_of(loose)
            self._packed.extend(blocks)
            self.byte_size += sum(len(block.data) for block in blocks) - characters
        except BaseException:
            is_packed = bool(blocks and self._packed and self._packed[-1] is blocks[-1])
            if not is_packed and self._loose is not loose:
                self._loose[:0] = loose
            self._recount()
            raise

    def _blocks_of(self, data: list[str | bytes]) -> list[Block]:
        block = pack(cast("Sequence[str]", data))
        # Characters are up to four bytes; a block that is a batch by itself must be no larger.
        if len(block) > self.batch_size or len(block.data) > self.batch_bytes:
            return list(block.parts(self.batch_size, self.batch_bytes))
        return [block]

    def _recount(self) -> None:
        """Put right what an interruption left half done."""
        self._loose_characters = sum(map(len, self._loose))
        waiting = self._out_count + len(self._loose) + sum(map(len, self._packed))
        self.accepted = self.settled + waiting
        packed_bytes = sum(len(block.data) for block in self._packed)
        self.byte_size = self._out_bytes + packed_bytes + self._loose_characters
