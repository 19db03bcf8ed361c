"""`signalfx.pyformance.reporter`."""

from wf_instrument.backends.signalfx.pyformance_reporter import (
    SignalFxReporter,
)

__all__ = [
    "SignalFxReporter",
]
