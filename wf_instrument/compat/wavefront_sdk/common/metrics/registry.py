"""`wavefront_sdk.common.metrics.registry`."""

from wf_instrument.backends.wavefront.sdk_metrics import WavefrontSdkMetricsRegistry

__all__ = ["WavefrontSdkMetricsRegistry"]
