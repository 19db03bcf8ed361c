"""The stored form of a histogram: a version byte, fixed fields, then varint buckets."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.exponential_buckets import BucketSet

if TYPE_CHECKING:
    from wf_instrument.metrics.exponential_buckets import Buckets
    from wf_instrument.metrics.histogram import ExponentialHistogram

__all__ = ["decode", "encode"]

_VERSION: Final = 1
#: Version, scale, bucket limit, then count, zeros, rejected, then sum, min, max.
_HEAD: Final = struct.Struct("<BbIQQQddd")
_MAX_BUCKETS: Final = 65_536


def encode(histogram: ExponentialHistogram) -> bytes:
    """Return the bytes of a histogram."""
    held = histogram.buckets
    out = bytearray(
        _HEAD.pack(
            _VERSION,
            held.scale,
            histogram.max_buckets,
            histogram.count,
            held.zero_count,
            histogram.rejected,
            histogram.sum,
            histogram.min,
            histogram.max,
        )
    )
    for buckets in (held.positive, held.negative):
        _put(out, len(buckets.counts))
        before = 0
        for index in sorted(buckets.counts):
            step = index - before
            before = index
            # Zigzag: the first index may be below 0.
            _put(out, step << 1 if step >= 0 else (-step << 1) - 1)
            _put(out, buckets.counts[index])
            out += struct.pack("<d", buckets.sums[index])
    return bytes(out)


def decode(histogram: ExponentialHistogram, data: bytes) -> BucketSet:
    """Fill an empty histogram from bytes, and return the buckets that belong into it.

    Raises:
        ValueError: They are not what `encode` writes.
    """
    try:
        head = _HEAD.unpack_from(data)
        (
            version,
            scale,
            histogram.max_buckets,
            histogram.count,
            zero_count,
            histogram.rejected,
            histogram.sum,
            histogram.min,
            histogram.max,
        ) = head
        if version != _VERSION:
            raise ValueError(f"histogram bytes have version {version}; this reads {_VERSION}")
        held = BucketSet(scale, histogram.max_buckets)
        held.zero_count = zero_count
        at = _HEAD.size
        at = _get_buckets(data, at, held.positive)
        at = _get_buckets(data, at, held.negative)
    except (struct.error, IndexError) as exc:
        raise ValueError("histogram bytes are cut off") from exc
    inside = sum(held.positive.counts.values()) + sum(held.negative.counts.values())
    if (
        at != len(data)
        or inside + zero_count != histogram.count
        or not all(map(math.isfinite, head[6:]))
        or not -10 <= scale <= 20
    ):
        raise ValueError("histogram bytes contradict themselves")
    return held


def _put(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _get(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("histogram bytes hold a number that is too long")


def _get_buckets(data: bytes, at: int, buckets: Buckets) -> int:
    size, at = _get(data, at)
    if size > _MAX_BUCKETS:
        raise ValueError(f"histogram bytes tell of {size} buckets; at most {_MAX_BUCKETS}")
    index = 0
    for _ in range(size):
        step, at = _get(data, at)
        index += step >> 1 if step & 1 == 0 else -((step + 1) >> 1)
        count, at = _get(data, at)
        (total,) = struct.unpack_from("<d", data, at)
        at += 8
        if not math.isfinite(total):
            raise ValueError("histogram bytes hold a sum that is not finite")
        buckets.add(index, count, total)
    return at
