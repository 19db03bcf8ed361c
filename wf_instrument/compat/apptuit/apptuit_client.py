"""`apptuit.apptuit_client`."""

from wf_instrument.backends.apptuit.client import BASE_SLEEP_TIME_SECS, Apptuit
from wf_instrument.backends.apptuit.exceptions import ApptuitException, ApptuitSendException
from wf_instrument.backends.apptuit.names import SANITIZERS
from wf_instrument.backends.apptuit.points import DataPoint, TimeSeries
from wf_instrument.backends.apptuit.query import Output, QueryResult
from wf_instrument.backends.apptuit.rows import MAX_TAGS_LIMIT
from wf_instrument.backends.apptuit.timeseries import TimeSeriesName

__all__ = [
    "BASE_SLEEP_TIME_SECS",
    "MAX_TAGS_LIMIT",
    "SANITIZERS",
    "Apptuit",
    "ApptuitException",
    "ApptuitSendException",
    "DataPoint",
    "Output",
    "QueryResult",
    "TimeSeries",
    "TimeSeriesName",
]
