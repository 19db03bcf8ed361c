"""`signalfx.pyformance`."""

from wf_instrument.backends.signalfx.pyformance_reporter import SignalFxReporter
from wf_instrument.compat.signalfx.pyformance import metadata, registry, reporter
from wf_instrument.compat.signalfx.pyformance.registry import (
    MetricsRegistry,
    clear,
    count_calls,
    count_calls_with_dims,
    counter,
    dump_metrics,
    gauge,
    global_registry,
    hist_calls,
    hist_calls_with_dims,
    histogram,
    meter,
    meter_calls,
    meter_calls_with_dims,
    set_global_registry,
    time_calls,
    time_calls_with_dims,
    timer,
)
from wf_instrument.metrics.pyformance_shim import pyformance

call_too_long = pyformance.call_too_long

__all__ = [
    "MetricsRegistry",
    "SignalFxReporter",
    "call_too_long",
    "clear",
    "count_calls",
    "count_calls_with_dims",
    "counter",
    "dump_metrics",
    "gauge",
    "global_registry",
    "hist_calls",
    "hist_calls_with_dims",
    "histogram",
    "metadata",
    "meter",
    "meter_calls",
    "meter_calls_with_dims",
    "registry",
    "reporter",
    "set_global_registry",
    "time_calls",
    "time_calls_with_dims",
    "timer",
]
