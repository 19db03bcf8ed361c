"""The values of a pyformance registry's metrics, as Apptuit's client for Python names them.

Source:
    Apptuit's client for Python: the values are those of pyformance's `MetricsRegistry.get_metrics`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.apptuit.exceptions import ApptuitDataError
from wf_instrument.backends.apptuit.timeseries import decode_metric
from wf_instrument.guard import caught
from wf_instrument.metrics.tagged_registry import decode_key
from wf_instrument.reporting.registry_feed import metrics_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.metrics.pyformance_shim import MetricsRegistry

__all__ = ["RegistryValues", "read_registry"]

_RATES: Final = (
    ("mean_rate", "get_mean_rate"),
    ("1m_rate", "get_one_minute_rate"),
    ("5m_rate", "get_five_minute_rate"),
    ("15m_rate", "get_fifteen_minute_rate"),
)
_STATISTICS: Final = (
    ("avg", "get_mean"),
    ("max", "get_max"),
    ("min", "get_min"),
    ("std_dev", "get_stddev"),
)
_PERCENTILES: Final = (
    ("75_percentile", 0.75),
    ("95_percentile", 0.95),
    ("99_percentile", 0.99),
    ("999_percentile", 0.999),
)


class RegistryValues:
    """What a registry held at one moment.

    Attributes:
        values: Name with the value's own behind it, tags, and value.
        skipped: How many values were no finite number.
        unreadable: Keys whose name and tags cannot be read, or whose metric failed.
    """

    def __init__(self) -> None:
        self.values: list[tuple[str, dict[str, Any], float]] = []
        self.skipped = 0
        self.unreadable: list[tuple[str, str]] = []


def read_registry(registry: MetricsRegistry) -> RegistryValues:
    """Return the values of all metrics; of equal names in several kinds the last one's.

    A metric that fails costs only itself.
    """
    by_key: dict[str, dict[str, object]] = {}
    found = RegistryValues()
    for kind, read in _READERS.items():
        for key, metric in metrics_of(registry, kind):
            try:
                by_key.setdefault(key, {}).update(read(metric))
            except Exception as error:  # noqa: BLE001 - gauges call the user's code
                caught("apptuit.registry", error)
                found.unreadable.append((str(key), type(error).__name__))
    for key, values in by_key.items():
        try:
            name, tags = _name_and_tags(key)
        except ApptuitDataError as error:
            found.unreadable.append((str(key), error.msg))
            continue
        for suffix, value in values.items():
            number = _number(value)
            if number is None:
                found.skipped += 1
            else:
                found.values.append((f"{name}.{suffix}", tags, number))
    return found


def _name_and_tags(key: str) -> tuple[str, dict[str, Any]]:
    name, tags = decode_key(key)  # of a `TaggedRegistry`
    return (name, dict(tags)) if tags else decode_metric(name)


def _counter(counter: Any) -> dict[str, object]:
    return {"count": counter.get_count()}


def _gauge(gauge: Any) -> dict[str, object]:
    return {"value": gauge.get_value()}


def _meter(meter: Any) -> dict[str, object]:
    return {"count": meter.get_count(), **_rates(meter)}


def _rates(metric: Any) -> dict[str, object]:
    try:
        return {name: getattr(metric, method)() for name, method in _RATES}
    except ZeroDivisionError:  # not a moment has passed, or the clock was set back
        return {}


def _histogram(histogram: Any) -> dict[str, object]:
    values: dict[str, object] = {"count": histogram.get_count()}
    if values["count"]:  # else pyformance gives its initial extremes, ±2147483647
        values |= {name: getattr(histogram, method)() for name, method in _STATISTICS}
        snapshot = histogram.get_snapshot()
        values |= {name: snapshot.get_percentile(share) for name, share in _PERCENTILES}
    return values


def _timer(timer: Any) -> dict[str, object]:
    values = _histogram(timer)
    if values["count"]:
        values |= {"sum": timer.get_sum(), "50_percentile": timer.get_snapshot().get_median()}
    return values | _rates(timer)


_READERS: Final[dict[str, Callable[[Any], dict[str, object]]]] = {
    "counters": _counter,
    "histograms": _histogram,
    "meters": _meter,
    "timers": _timer,
    "gauges": _gauge,
}


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
