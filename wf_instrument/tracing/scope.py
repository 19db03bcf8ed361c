"""Scopes: the `with` block in which a span is current, on context variables.

Scopes put back what was current before by setting it, not by a token: a token is refused in any
other context than its own, and generators and cancelled streams are closed in other contexts.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import opentracing

from wf_instrument.tracing.active import ACTIVE

if TYPE_CHECKING:
    from types import TracebackType

    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["ContextScopeManager", "WavefrontScope"]

_SCOPE: Final[ContextVar[WavefrontScope | None]] = ContextVar("wf_instrument.scope", default=None)


class WavefrontScope(opentracing.Scope):  # type: ignore[misc]  # opentracing ships no types
    """The block in which a span is current; closing it makes current what was before."""

    def __init__(
        self, manager: ContextScopeManager, span: WavefrontSpan, finish_on_close: bool
    ) -> None:
        super().__init__(manager, span)
        self._finish_on_close = finish_on_close
        self._is_closed = False
        self._outer = _SCOPE.get()
        self._outer_span = ACTIVE.get()
        ACTIVE.set(span)
        _SCOPE.set(self)

    def close(self) -> None:
        """End the block; harmless when called again, or in another context.

        While a scope inside this one is open nothing happens, as OpenTracing asks.
        """
        current = _SCOPE.get()
        if self._is_closed or self._is_around(current):
            return
        self._is_closed = True
        if current is self:
            _SCOPE.set(self._outer)
        # In another context another span may be current, which is none of our business.
        if ACTIVE.get() is self.span:
            ACTIVE.set(self._outer_span)
        if self._finish_on_close:
            self.span.finish()

    def _is_around(self, scope: WavefrontScope | None) -> bool:
        while scope is not None and scope is not self:
            scope = scope._outer  # noqa: SLF001 - of this class
            if scope is self:
                return True
        return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if error is not None:
            self.span.set_error(error)
        self.close()


class ContextScopeManager(opentracing.ScopeManager):  # type: ignore[misc]  # opentracing ships no types
    """Keeps the current span in a context variable."""

    def activate(self, span: WavefrontSpan, finish_on_close: bool) -> WavefrontScope:
        """Make a span current and return the scope that ends this."""
        return WavefrontScope(self, span, finish_on_close)

    @property
    def active(self) -> opentracing.Scope | None:
        """The current scope; of a request's span one for reading, closing it changes nothing."""
        span = ACTIVE.get()
        if span is None:
            return None
        scope = _SCOPE.get()
        if scope is not None and scope.span is span:
            return scope
        return opentracing.Scope(self, span)
