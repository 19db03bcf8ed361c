"""`wavefront_sdk.common.heartbeater_service`."""

from wf_instrument.backends.wavefront.heartbeater import HeartbeaterService

__all__ = ["HeartbeaterService"]
