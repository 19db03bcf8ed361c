"""Delta counters: report the change since the last report, for the receiver to add up.

Threads: any counts; each counter has pyformance's lock, held for one addition.
Fork: the child's counters begin at 0: the parent reports what was counted before.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.pyformance_shim import Counter
from wf_instrument.metrics.tagged_registry import stored_key
from wf_instrument.value_text import as_str

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wf_instrument.metrics.pyformance_shim import MetricsRegistry

__all__ = ["DELTA_PREFIXES", "DeltaCounter", "delta_counter", "get_delta_name", "is_delta_counter"]

#: U+2206 and U+0394: a name that begins with one of them is a delta counter's.
#: Source: Wavefront SDK, `DELTA_PREFIX` and `DELTA_PREFIX_2`.
DELTA_PREFIXES: Final = ("∆", "Δ")


class DeltaCounter(Counter):
    """A pyformance counter of which the change is reported.

    Reset happens by subtracting what was taken, so that nothing counted meanwhile is lost.
    """

    counter: float

    def __init__(self) -> None:
        super().__init__()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self.lock = threading.Lock()
        self.counter = 0

    def take(self) -> float:
        """Return the change since the last call, and subtract it; 0.0 when it is not above 0.

        What was counted down waits to be counted up again: receivers add up, and take nothing off.
        """
        with self.lock:
            value = self.counter
            if -math.inf < value <= 0:
                return 0.0
            # NaN and infinity go too, or nothing could be counted ever after.
            self.counter = 0
        try:
            return float(value)
        except OverflowError:
            return math.inf


def delta_counter(
    registry: MetricsRegistry, name: str, tags: Mapping[str, str] | None = None
) -> DeltaCounter:
    """Return the delta counter of a registry, made if need be.

    Raises:
        TypeError: The name belongs to a plain counter.
    """
    encoded = stored_key(registry, get_delta_name("", name), tags)
    counters = registry._counters  # noqa: SLF001 - pyformance has no other look-up
    found = counters.get(encoded)
    if found is None:
        # In one step: of two threads that make the same counter, both get the one that is kept.
        found = counters.setdefault(encoded, DeltaCounter())
    if not isinstance(found, DeltaCounter):
        raise TypeError(f"{name!r} is a plain counter of this registry; choose another name")
    return found


def is_delta_counter(name: str, registry: MetricsRegistry) -> bool:
    """Return whether a registry's key is a delta counter's."""
    return isinstance(registry._counters.get(name), DeltaCounter)  # noqa: SLF001 - no other look-up


def get_delta_name(prefix: str, name: str, value_key: str | None = None) -> str:
    """Return `∆prefix` + `name.value_key`; the ∆ of the name moves in front of the prefix."""
    text = as_str(name)
    bare = text[1:] if text.startswith(DELTA_PREFIXES) else text
    return f"{DELTA_PREFIXES[0]}{as_str(prefix)}{bare}" + (f".{value_key}" if value_key else "")
