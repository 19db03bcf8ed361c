"""`wavefront_pyformance.wavefront_reporter`."""

from wf_instrument.backends.wavefront.pyformance_reporters import (
    WavefrontDirectReporter,
    WavefrontProxyReporter,
    WavefrontReporter,
)

__all__ = ["WavefrontDirectReporter", "WavefrontProxyReporter", "WavefrontReporter"]
