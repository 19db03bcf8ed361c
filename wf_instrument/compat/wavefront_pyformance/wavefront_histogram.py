"""`wavefront_pyformance.wavefront_histogram`."""

from wf_instrument.metrics.wavefront_histogram import (
    Distribution,
    WavefrontHistogram,
    get,
    wavefront_histogram,
)

__all__ = ["Distribution", "WavefrontHistogram", "get", "wavefront_histogram"]
