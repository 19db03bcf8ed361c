"""`wavefront_sdk.common.metrics.metrics`."""

from wf_instrument.backends.wavefront.sdk_metrics import WavefrontSdkMetric

__all__ = ["WavefrontSdkMetric"]
