"""Samplers: which traces are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from wf_instrument.errors import ConfigError

__all__ = ["CompositeSampler", "ConstantSampler", "DurationSampler", "RateSampler", "Sampler"]


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
        """Return whether the low 64 bits, which are random in all formats, are in the share."""
        return (trace_id & 0xFFFF_FFFF_FFFF_FFFF) < self._boundary

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
