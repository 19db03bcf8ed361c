"""`signalfx.pyformance.registry`.

Its import puts a registry with dimensions in the place of pyformance's global one, which brings the
metrics along that were made before.
"""

from wf_instrument.backends.signalfx.call_decorators import (
    clear,
    count_calls,
    count_calls_with_dims,
    counter,
    dump_metrics,
    gauge,
    hist_calls,
    hist_calls_with_dims,
    histogram,
    meter,
    meter_calls,
    meter_calls_with_dims,
    time_calls,
    time_calls_with_dims,
    timer,
)
from wf_instrument.backends.signalfx.pyformance_registry import (
    DimensionedRegistry as MetricsRegistry,
)
from wf_instrument.backends.signalfx.pyformance_registry import RegexRegistry
from wf_instrument.metrics.pyformance_shim import global_registry, pyformance

set_global_registry = pyformance.set_global_registry

__all__ = [
    "MetricsRegistry",
    "RegexRegistry",
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
    "meter",
    "meter_calls",
    "meter_calls_with_dims",
    "set_global_registry",
    "time_calls",
    "time_calls_with_dims",
    "timer",
]

if not isinstance(global_registry(), MetricsRegistry):
    _registry = MetricsRegistry()
    _registry.take_over(global_registry())
    set_global_registry(_registry)
