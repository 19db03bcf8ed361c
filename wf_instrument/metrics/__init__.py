"""Metrics: histograms that merge, tagged registries, delta counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.late_names import late_names
from wf_instrument.metrics.delta_counter import (
    DeltaCounter,
    delta_counter,
    get_delta_name,
    is_delta_counter,
)
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.metrics.tagged_registry import TaggedRegistry
from wf_instrument.metrics.wavefront_histogram import (
    Distribution,
    WavefrontHistogram,
    wavefront_histogram,
)

if TYPE_CHECKING:
    from wf_instrument.metrics.runtime import RuntimeCollector

__all__ = [
    "DeltaCounter",
    "Distribution",
    "ExponentialHistogram",
    "RuntimeCollector",
    "TaggedRegistry",
    "WavefrontHistogram",
    "delta_counter",
    "get_delta_name",
    "is_delta_counter",
    "wavefront_histogram",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "RuntimeCollector": "runtime",
    },
)
