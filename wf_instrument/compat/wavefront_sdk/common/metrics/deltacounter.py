"""`wavefront_sdk.common.metrics.deltacounter`."""

from wf_instrument.backends.wavefront.sdk_metrics import WavefrontSdkDeltaCounter

__all__ = ["WavefrontSdkDeltaCounter"]
