"""`librato`: the client of the Librato API."""

import logging
from http.client import HTTPConnection, HTTPSConnection

from wf_instrument.backends.librato.requester import BASE_PATH, DEFAULT_TIMEOUT, HOSTNAME
from wf_instrument.backends.librato.sanitizer import sanitize_metric_name, sanitize_no_op
from wf_instrument.compat.librato import (
    aggregator,
    alerts,
    annotations,
    exceptions,
    metrics,
    queue,
    spaces,
    streams,
)
from wf_instrument.compat.librato.aggregator import Aggregator
from wf_instrument.compat.librato.alerts import Alert, Service
from wf_instrument.compat.librato.annotations import Annotation
from wf_instrument.compat.librato.metrics import Counter, Gauge, Metric
from wf_instrument.compat.librato.queue import Queue
from wf_instrument.compat.librato.replaceable_http import LibratoConnection, connect
from wf_instrument.compat.librato.spaces import Chart, Space

__all__ = [
    "BASE_PATH",
    "DEFAULT_TIMEOUT",
    "HOSTNAME",
    "Aggregator",
    "Alert",
    "Annotation",
    "Chart",
    "Counter",
    "Gauge",
    "HTTPConnection",
    "HTTPSConnection",
    "LibratoConnection",
    "Metric",
    "Queue",
    "Service",
    "Space",
    "__version__",
    "aggregator",
    "alerts",
    "annotations",
    "connect",
    "exceptions",
    "log",
    "metrics",
    "queue",
    "sanitize_metric_name",
    "sanitize_no_op",
    "spaces",
    "streams",
]

#: Of the client whose names these are: programs compare it.
__version__ = "3.1.0"

log = logging.getLogger("librato")
