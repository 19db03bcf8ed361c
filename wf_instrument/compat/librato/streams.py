"""`librato.streams`."""

from wf_instrument.backends.librato.streams import Stream

__all__ = ["Stream"]
