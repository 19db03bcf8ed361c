"""`wavefront_sdk.common.application_tags`."""

from wf_instrument.identity import ApplicationTags

__all__ = ["ApplicationTags"]
