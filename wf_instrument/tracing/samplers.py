"""Samplers: which traces are kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CompositeSampler", "ConstantSampler", "DurationSampler", "RateSampler", "Sampler"]


_MASK: Final = (1 << 64) - 1
#: Odd constants whose products spread low bits over the high ones.
#: Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", mix64variant13.
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB


class Sampler(Protocol):
    """Decides at the start of a root span (early), or at the end of a span (late)."""

    def sample(self, operation_name: str, trace_id: int, duration: float) -> bool:
        """Return whether to keep; `trace_id` has 128 bits, `duration` is in milliseconds."""

    def is_early(self) -> bool:
        """Return whether it decides at the start, when there is no duration yet."""


class ConstantSampler:
    """Keeps all or nothing."""

    def __init__(self, decision: bool) -> None:
        self.set_decision(decision)

    def set_decision(self, decision: bool) -> None:
        """Decide otherwise from now on."""
        self._decision = bool(decision)

    def sample(self, operation_name: str, trace_id: int, duration: float) -> bool:
        """Return the decision."""
        return self._decision

    def is_early(self) -> bool:
        """Return True."""
        return True


class RateSampler:
    """Keeps a share of all traces, the same ones in every process.

    Raises:
        ConfigError: The share is not from 0 to 1.
    """

    def __init__(self, sampling_rate: float) -> None:
        self.set_sampling_rate(sampling_rate)

    def set_sampling_rate(self, sampling_rate: float) -> None:
        """Keep another share from now on."""
        if not 0.0 <= sampling_rate <= 1.0:
            raise ConfigError(f"sampling rate {sampling_rate!r} should be from 0 to 1")
        self._boundary = math.ceil(sampling_rate * 2**64)

    def sample(self, operation_name: str, trace_id: int, duration: float) -> bool:
        """Return whether the trace's number, the same in every process, is in the share."""
        # Mixed first: no part of an id is random in every format. A UUID's low half begins with
        # fixed variant bits, and that of a version 1 UUID is the same all through a process.
        mixed = (trace_id ^ (trace_id >> 64)) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * _MIX_1) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * _MIX_2) & _MASK
        return (mixed ^ (mixed >> 31)) < self._boundary

    def is_early(self) -> bool:
        """Return True."""
        return True


class DurationSampler:
    """Keeps spans that took longer than so many milliseconds."""

    def __init__(self, duration: float) -> None:
        self.set_duration(duration)

    def set_duration(self, duration: float) -> None:
        """Set another bound, in milliseconds."""
        if not duration >= 0:
            raise ConfigError(f"duration {duration!r} should be milliseconds of at least 0")
        self._duration_ms = duration

    def sample(self, operation_name: str, trace_id: int, duration: float) -> bool:
        """Return whether `duration` is above the bound."""
        return duration > self._duration_ms

    def is_early(self) -> bool:
        """Return False."""
        return False


class CompositeSampler:
    """Keeps what any of several samplers keeps."""

    def __init__(self, samplers: Iterable[Sampler]) -> None:
        self._samplers = list(samplers)

    def sample(self, operation_name: str, trace_id: int, duration: float) -> bool:
        """Return whether any of them keeps it; True when there are none."""
        return not self._samplers or any(
            sampler.sample(operation_name, trace_id, duration) for sampler in self._samplers
        )

    def is_early(self) -> bool:
        """Return whether all of them decide at the start."""
        return all(sampler.is_early() for sampler in self._samplers)
