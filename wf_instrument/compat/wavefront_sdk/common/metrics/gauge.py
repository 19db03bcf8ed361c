"""`wavefront_sdk.common.metrics.gauge`."""

from wf_instrument.backends.wavefront.sdk_metrics import WavefrontSdkGauge

__all__ = ["WavefrontSdkGauge"]
