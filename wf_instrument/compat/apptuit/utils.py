"""`apptuit.utils`."""

from wf_instrument.backends.apptuit.environment import strtobool
from wf_instrument.backends.apptuit.names import sanitize_name_apptuit, sanitize_name_prometheus

__all__ = ["sanitize_name_apptuit", "sanitize_name_prometheus", "strtobool"]
