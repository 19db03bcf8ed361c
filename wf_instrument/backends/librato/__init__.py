"""Librato: the API client with its queue, aggregator and models, and reporters."""

from wf_instrument.backends.librato import exceptions
from wf_instrument.backends.librato.aggregator import Aggregator
from wf_instrument.backends.librato.alerts import Alert
from wf_instrument.backends.librato.annotations import Annotation
from wf_instrument.backends.librato.charts import Chart
from wf_instrument.backends.librato.conditions import Condition
from wf_instrument.backends.librato.connection import LibratoConnection, connect
from wf_instrument.backends.librato.jobs import Job
from wf_instrument.backends.librato.measurement_queue import Queue
from wf_instrument.backends.librato.measurement_sender import MeasurementSender
from wf_instrument.backends.librato.metrics import Counter, Gauge, Metric
from wf_instrument.backends.librato.pipeline_reporter import LibratoPipelineReporter
from wf_instrument.backends.librato.pyformance_reporter import LibratoReporter
from wf_instrument.backends.librato.reporter_factory import from_url
from wf_instrument.backends.librato.sanitizer import sanitize_metric_name, sanitize_no_op
from wf_instrument.backends.librato.service_space import ServiceSpace, create_service_space
from wf_instrument.backends.librato.services import Service
from wf_instrument.backends.librato.spaces import Space
from wf_instrument.backends.librato.streams import Stream

__all__ = [
    "Aggregator",
    "Alert",
    "Annotation",
    "Chart",
    "Condition",
    "Counter",
    "Gauge",
    "Job",
    "LibratoConnection",
    "LibratoPipelineReporter",
    "LibratoReporter",
    "MeasurementSender",
    "Metric",
    "Queue",
    "Service",
    "ServiceSpace",
    "Space",
    "Stream",
    "connect",
    "create_service_space",
    "exceptions",
    "from_url",
    "sanitize_metric_name",
    "sanitize_no_op",
]
