"""`apptuit`."""

from wf_instrument._version import __version__
from wf_instrument.backends.apptuit.environment import (
    APPTUIT_PY_TAGS,
    APPTUIT_PY_TOKEN,
    DEPRECATED_APPTUIT_PY_TAGS,
    DEPRECATED_APPTUIT_PY_TOKEN,
)
from wf_instrument.compat.apptuit import apptuit_client, pyformance, timeseries, utils
from wf_instrument.compat.apptuit.apptuit_client import (
    Apptuit,
    ApptuitException,
    ApptuitSendException,
    DataPoint,
    TimeSeries,
    TimeSeriesName,
)

__all__ = [
    "APPTUIT_PY_TAGS",
    "APPTUIT_PY_TOKEN",
    "DEPRECATED_APPTUIT_PY_TAGS",
    "DEPRECATED_APPTUIT_PY_TOKEN",
    "Apptuit",
    "ApptuitException",
    "ApptuitSendException",
    "DataPoint",
    "TimeSeries",
    "TimeSeriesName",
    "__version__",
    "apptuit_client",
    "pyformance",
    "timeseries",
    "utils",
]
