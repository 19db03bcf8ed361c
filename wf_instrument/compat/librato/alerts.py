"""`librato.alerts`."""

from wf_instrument.backends.librato.alerts import Alert
from wf_instrument.backends.librato.conditions import Condition
from wf_instrument.backends.librato.services import Service

__all__ = ["Alert", "Condition", "Service"]
