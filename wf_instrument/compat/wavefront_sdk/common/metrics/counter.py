"""`wavefront_sdk.common.metrics.counter`."""

from wf_instrument.backends.wavefront.sdk_metrics import WavefrontSdkCounter

__all__ = ["WavefrontSdkCounter"]
