"""One batch as a file: a line that says what follows, then the lengths and the data, compressed.

No lock, no folder: see `spool.py`.
"""

from __future__ import annotations

import json
import zlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wf_instrument.errors import SpoolError
from wf_instrument.sender.batch import Batch, Block

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["SpoolHeader", "read_batch", "read_header", "write_batch"]

_FORMAT: Final = "wf-instrument-spool-1"
#: A header is far shorter; what has no line end by then is none.
_MAX_HEADER: Final = 1000
#: A batch that claims to be larger unpacked was not written here.
_MAX_UNPACKED: Final = 256 * 1024 * 1024
#: Of any number in the first line: that of a checksum. What is read is in memory at once.
_MAX_NUMBER: Final = (1 << 32) - 1
_LEVEL: Final = 1


@dataclass(frozen=True, slots=True)
class SpoolHeader:
    """What the first line says.

    Attributes:
        count: Data in the file.
        packed_bytes: Bytes that follow the header.
        checksum: CRC-32 of them.
        lengths_bytes: How many of the unpacked bytes are the lengths.
        unpacked_bytes: Bytes once unpacked, the lengths included.
    """

    count: int
    packed_bytes: int
    checksum: int
    lengths_bytes: int
    unpacked_bytes: int


def write_batch(file: BinaryIO, batch: Batch) -> None:
    """Write a batch, header first.

    Raises:
        OSError: The disk is full, or so.
    """
    lengths = array("I")
    for block in batch.blocks:
        lengths.extend(block.lengths)
    # Little-endian, so that the folder may move to another machine.
    front = b"".join(length.to_bytes(4, "little") for length in lengths)
    # In one piece: a batch may have a thousand, and each call lets go of the GIL.
    packed = zlib.compress(b"".join((front, *batch.pieces)), _LEVEL)
    header = {
        "format": _FORMAT,
        "count": batch.count,
        "packed_bytes": len(packed),
        "checksum": zlib.crc32(packed),
        "lengths_bytes": len(front),
        "unpacked_bytes": len(front) + batch.byte_size,
    }
    file.write(json.dumps(header).encode() + b"\n")
    file.write(packed)


def read_header(file: BinaryIO) -> SpoolHeader:
    """Read the first line, and leave the file behind it.

    Raises:
        SpoolError: It is not the first line of a batch.
    """
    line = file.readline(_MAX_HEADER)
    try:
        fields = json.loads(line)
        if not line.endswith(b"\n") or fields.pop("format") != _FORMAT:
            raise SpoolError("a file of the spool has another format")
        header = SpoolHeader(**fields)
    # Deep brackets are a RecursionError.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise SpoolError("a file of the spool has no readable first line") from exc
    # A number with a damaged digit may be one with an exponent.
    if not all(type(value) is int and 0 <= value <= _MAX_NUMBER for value in fields.values()):
        raise SpoolError("a file of the spool has a first line that cannot be true")
    return header


def read_batch(file: BinaryIO) -> Batch:
    """Read a whole file.

    Raises:
        SpoolError: It is torn, or no batch.
    """
    header = read_header(file)
    packed = file.read(header.packed_bytes)
    if len(packed) != header.packed_bytes or zlib.crc32(packed) != header.checksum:
        raise SpoolError("a file of the spool is torn")
    if header.unpacked_bytes > _MAX_UNPACKED or header.lengths_bytes != 4 * header.count:
        raise SpoolError("a file of the spool has a first line that cannot be true")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, header.unpacked_bytes + 1)
    except zlib.error as exc:
        raise SpoolError("a file of the spool cannot be unpacked") from exc
    front, rest = data[: header.lengths_bytes], data[header.lengths_bytes :]
    lengths = array(
        "I", (int.from_bytes(front[i : i + 4], "little") for i in range(0, len(front), 4))
    )
    if len(data) != header.unpacked_bytes or sum(lengths) != len(rest):
        raise SpoolError("a file of the spool does not hold what its first line says")
    return Batch([Block(rest, lengths)] if lengths else ())
