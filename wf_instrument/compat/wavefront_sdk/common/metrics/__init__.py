"""`wavefront_sdk.common.metrics`: counters and gauges that report themselves."""

from wf_instrument.backends.wavefront.sdk_metrics import (
    WavefrontSdkCounter,
    WavefrontSdkDeltaCounter,
    WavefrontSdkGauge,
    WavefrontSdkMetric,
    WavefrontSdkMetricsRegistry,
)

__all__ = [
    "WavefrontSdkCounter",
    "WavefrontSdkDeltaCounter",
    "WavefrontSdkGauge",
    "WavefrontSdkMetric",
    "WavefrontSdkMetricsRegistry",
]
