"""`apptuit.pyformance.apptuit_reporter`."""

from wf_instrument.backends.apptuit.reporter import (
    API_CALL_TIMER,
    BATCH_SIZE,
    DISABLE_HOST_TAG,
    NUMBER_OF_FAILED_POINTS,
    NUMBER_OF_SUCCESSFUL_POINTS,
    NUMBER_OF_TOTAL_POINTS,
    ApptuitReporter,
    default_error_handler,
)

__all__ = [
    "API_CALL_TIMER",
    "BATCH_SIZE",
    "DISABLE_HOST_TAG",
    "NUMBER_OF_FAILED_POINTS",
    "NUMBER_OF_SUCCESSFUL_POINTS",
    "NUMBER_OF_TOTAL_POINTS",
    "ApptuitReporter",
    "default_error_handler",
]
