"""`librato.annotations`."""

from wf_instrument.backends.librato.annotations import Annotation

__all__ = ["Annotation"]
