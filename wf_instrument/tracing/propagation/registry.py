"""Which propagators serve which format, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import opentracing

from wf_instrument.guard import caught
from wf_instrument.tracing.propagation.binary import BinaryPropagator
from wf_instrument.tracing.propagation.w3c import W3CPropagator
from wf_instrument.tracing.propagation.wavefront_headers import WavefrontPropagator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.tracing.propagation.propagator import Propagator
    from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = ["CompositePropagator", "PropagatorRegistry"]


class CompositePropagator:
    """Reads the first header set that is valid, writes all."""

    def __init__(self, propagators: Iterable[Propagator]) -> None:
        self._propagators = list(propagators)

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the headers of every propagator."""
        for propagator in self._propagators:
            propagator.inject(context, carrier)

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the first context found."""
        for propagator in self._propagators:
            context = propagator.extract(carrier)
            if context is not None:
                return context
        return None


class PropagatorRegistry:
    """Propagators by format; text map and HTTP headers read W3C before Wavefront, write both."""

    def __init__(self) -> None:
        both = CompositePropagator([W3CPropagator(), WavefrontPropagator()])
        self._propagators: dict[str, Propagator] = {
            opentracing.Format.TEXT_MAP: both,
            opentracing.Format.HTTP_HEADERS: both,
            opentracing.Format.BINARY: BinaryPropagator(both),
        }

    @property
    def formats(self) -> list[str]:
        """The formats that have a propagator."""
        return list(self._propagators)

    def register(self, format: str, propagator: Propagator) -> None:  # noqa: A002 - OpenTracing's name
        """Use `propagator` for a format from now on."""
        self._propagators[format] = propagator

    def get(self, format: str) -> Propagator:  # noqa: A002 - OpenTracing's name
        """Return the propagator of a format.

        Raises:
            opentracing.UnsupportedFormatException: There is none.
        """
        propagator = self._propagators.get(format)
        if propagator is None:
            known = ", ".join(sorted(map(str, self._propagators)))
            raise opentracing.UnsupportedFormatException(
                f"no propagator for the format {format!r}; registered: {known}"
            )
        return propagator

    def inject(self, context: WavefrontSpanContext, format: str, carrier: object) -> None:  # noqa: A002 - OpenTracing's name
        """Write a context into a carrier."""
        self.get(format).inject(context, carrier)

    def extract(self, format: str, carrier: object) -> WavefrontSpanContext | None:  # noqa: A002 - OpenTracing's name
        """Read a context; None when there is none, or when the carrier cannot be read."""
        propagator = self.get(format)
        try:
            return propagator.extract(carrier)
        except Exception as error:  # noqa: BLE001 - headers come from strangers
            caught("tracing.extract", error)
            return None
