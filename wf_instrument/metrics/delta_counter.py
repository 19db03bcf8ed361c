"""Delta counters: report the change since the last report, for the receiver to add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wf_instrument.metrics.pyformance_shim import Counter
from wf_instrument.metrics.tagged_registry import TaggedRegistry

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

    def take(self) -> float:
        """Return the change since the last call, and subtract it."""
        with self.lock:
            value, self.counter = self.counter, 0
        return float(value)


def delta_counter(
    registry: MetricsRegistry, name: str, tags: Mapping[str, str] | None = None
) -> DeltaCounter:
    """Return the delta counter of a registry, made if need be.

    Raises:
        TypeError: The name belongs to a plain counter.
    """
    key = get_delta_name("", name)
    add: Any = registry.add
    encoded = TaggedRegistry.encode_key(key, tags)
    found = registry._counters.get(encoded)  # noqa: SLF001 - pyformance has no other look-up
    if found is None:
        try:
            if isinstance(registry, TaggedRegistry):
                registry.add(key, DeltaCounter(), tags)
            else:
                add(encoded, DeltaCounter())
        except LookupError:
            pass  # another thread made it just now
        found = registry._counters[encoded]  # noqa: SLF001 - as above
    if not isinstance(found, DeltaCounter):
        raise TypeError(f"{name!r} is a plain counter of this registry; choose another name")
    return found


def is_delta_counter(name: str, registry: MetricsRegistry) -> bool:
    """Return whether a registry's key is a delta counter's."""
    return isinstance(registry._counters.get(name), DeltaCounter)  # noqa: SLF001 - no other look-up


def get_delta_name(prefix: str, name: str, value_key: str | None = None) -> str:
    """Return `∆prefix` + `name.value_key`; the ∆ of the name moves in front of the prefix."""
    bare = name[1:] if name.startswith(DELTA_PREFIXES) else name
    return f"{DELTA_PREFIXES[0]}{prefix}{bare}" + (f".{value_key}" if value_key else "")
