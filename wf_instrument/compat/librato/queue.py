"""`librato.queue`."""

from wf_instrument.backends.librato.measurement_queue import Queue

__all__ = ["Queue"]
