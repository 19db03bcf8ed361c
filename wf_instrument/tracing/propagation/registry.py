"""Which propagators serve which format, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import opentracing

from wf_instrument.errors import ConfigError
from wf_instrument.guard import caught
from wf_instrument.tracing.propagation.b3 import B3Propagator
from wf_instrument.tracing.propagation.binary import BinaryPropagator
from wf_instrument.tracing.propagation.environ import environ_keys
from wf_instrument.tracing.propagation.jaeger import JaegerPropagator
from wf_instrument.tracing.propagation.w3c import W3CPropagator
from wf_instrument.tracing.propagation.wavefront_headers import WavefrontPropagator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wf_instrument.tracing.propagation.propagator import Propagator
    from wf_instrument.tracing.span_context import WavefrontSpanContext

__all__ = [
    "DEFAULT_EXTRACT",
    "DEFAULT_INJECT",
    "CompositePropagator",
    "PropagatorRegistry",
    "propagator_named",
]


class CompositePropagator:
    """Reads the first header set that is valid, writes all of another list.

    Args:
        propagators: Read in this order.
        writing: Write all of these; the same ones when None.

    Attributes:
        trigger_headers: Those of all that read.
    """

    def __init__(
        self, propagators: Iterable[Propagator], writing: Iterable[Propagator] | None = None
    ) -> None:
        self._reading = list(propagators)
        self._writing = self._reading if writing is None else list(writing)
        self.trigger_headers = tuple(
            name for one in self._reading for name in getattr(one, "trigger_headers", ())
        )

    def inject(self, context: WavefrontSpanContext, carrier: object) -> None:
        """Write the headers of every propagator that writes."""
        for propagator in self._writing:
            propagator.inject(context, carrier)

    def extract(self, carrier: object) -> WavefrontSpanContext | None:
        """Return the first context found."""
        for propagator in self._reading:
            context = propagator.extract(carrier)
            if context is not None:
                return context
        return None


def propagator_named(name: str) -> Propagator:
    """Return a new propagator: `w3c`, `wavefront`, `jaeger`, `b3` or `b3multi`.

    Both kinds of B3 read both forms; `b3` writes the single header.

    Raises:
        ConfigError: There is no such propagator.
    """
    make = _MAKERS.get(name)
    if make is None:
        raise ConfigError(f"propagator {name!r} is unknown; known: {', '.join(_MAKERS)}")
    return make()


_MAKERS: Final[Mapping[str, Callable[[], Propagator]]] = {
    "w3c": W3CPropagator,
    "wavefront": WavefrontPropagator,
    "jaeger": JaegerPropagator,
    "b3": lambda: B3Propagator("single"),
    "b3multi": lambda: B3Propagator("multi"),
}
DEFAULT_EXTRACT: Final = ("w3c", "wavefront", "jaeger", "b3")
DEFAULT_INJECT: Final = ("w3c", "wavefront")


class PropagatorRegistry:
    """Propagators by format; text map, HTTP headers and binary have the same.

    Args:
        extract: Names of what is read, in this order; see `propagator_named`.
        inject: Names of what is written.

    Attributes:
        environ_keys: One of these is in the environ of every WSGI request that carries a context.
        header_names: The same as ASGI has them: lower case, in bytes.

    Raises:
        ConfigError: One of them is unknown.
    """

    def __init__(
        self, extract: Iterable[str] = DEFAULT_EXTRACT, inject: Iterable[str] = DEFAULT_INJECT
    ) -> None:
        every = CompositePropagator(map(propagator_named, extract), map(propagator_named, inject))
        self._propagators: dict[str, Propagator] = {
            opentracing.Format.TEXT_MAP: every,
            opentracing.Format.HTTP_HEADERS: every,
            opentracing.Format.BINARY: BinaryPropagator(every),
        }
        self._set_environ_keys()

    def _set_environ_keys(self) -> None:
        http = self._propagators[opentracing.Format.HTTP_HEADERS]
        names: tuple[str, ...] = getattr(http, "trigger_headers", ())
        self.environ_keys = environ_keys(names)
        self.header_names = frozenset(name.lower().encode("latin-1") for name in names)

    @property
    def formats(self) -> list[str]:
        """The formats that have a propagator."""
        return list(self._propagators)

    def register(self, format: str, propagator: Propagator) -> None:  # noqa: A002 - OpenTracing's name
        """Use `propagator` for a format from now on."""
        self._propagators[format] = propagator
        self._set_environ_keys()

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
