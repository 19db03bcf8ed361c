"""The request path's optional accelerator, and the choice between it and its twin in Python."""

from wf_instrument.speed.short_cuts import (
    IS_COMPILED,
    CellState,
    DriverState,
    HandleState,
    RecorderState,
    RecordState,
    Samples,
    SpanState,
    link,
    put_values,
    replace,
    replace_noting,
    shorten,
    use_short_cuts,
    use_twins,
)

__all__ = [
    "IS_COMPILED",
    "CellState",
    "DriverState",
    "HandleState",
    "RecordState",
    "RecorderState",
    "Samples",
    "SpanState",
    "link",
    "put_values",
    "replace",
    "replace_noting",
    "shorten",
    "use_short_cuts",
    "use_twins",
]
