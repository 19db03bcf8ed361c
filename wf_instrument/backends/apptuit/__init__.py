"""Apptuit: the client, its pyformance reporter, and the pipeline's reporter."""

from wf_instrument.backends.apptuit import timeseries
from wf_instrument.backends.apptuit.client import Apptuit
from wf_instrument.backends.apptuit.exceptions import ApptuitException, ApptuitSendException
from wf_instrument.backends.apptuit.pipeline_reporter import from_url
from wf_instrument.backends.apptuit.points import DataPoint, TimeSeries
from wf_instrument.backends.apptuit.process_metrics import ProcessMetrics
from wf_instrument.backends.apptuit.query import Output, QueryResult
from wf_instrument.backends.apptuit.reporter import ApptuitReporter, default_error_handler
from wf_instrument.backends.apptuit.timeseries import (
    TimeSeriesName,
    decode_metric,
    encode_metric,
)

__all__ = [
    "Apptuit",
    "ApptuitException",
    "ApptuitReporter",
    "ApptuitSendException",
    "DataPoint",
    "Output",
    "ProcessMetrics",
    "QueryResult",
    "TimeSeries",
    "TimeSeriesName",
    "decode_metric",
    "default_error_handler",
    "encode_metric",
    "from_url",
    "timeseries",
]
