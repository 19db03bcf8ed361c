"""`librato.spaces`."""

from wf_instrument.backends.librato.charts import Chart
from wf_instrument.backends.librato.spaces import Space

__all__ = ["Chart", "Space"]
