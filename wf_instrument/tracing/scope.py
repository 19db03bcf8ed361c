"""Scopes: the `with` block in which a span is current, on context variables."""

from __future__ import annotations

from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING

import opentracing

from wf_instrument.tracing.active import ACTIVE

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["ContextScopeManager", "WavefrontScope"]


class WavefrontScope(opentracing.Scope):
    """The block in which a span is current; closing it makes current what was before."""

    def __init__(
        self, manager: ContextScopeManager, span: WavefrontSpan, finish_on_close: bool
    ) -> None:
        super().__init__(manager, span)
        self._finish_on_close = finish_on_close
        self._token: Token[WavefrontSpan | None] | None = ACTIVE.set(span)

    def close(self) -> None:
        """End the block; harmless when called again, or in another context."""
        token, self._token = self._token, None
        if token is not None:
            try:
                ACTIVE.reset(token)
            except ValueError:
                # Closed in another task or thread than it was opened in (a generator, say),
                # whose current span is none of our business.
                pass
        if self._finish_on_close:
            self.span.finish()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if error is not None:
            self.span.set_error(error)
        self.close()


class ContextScopeManager(opentracing.ScopeManager):
    """Keeps the current span in a context variable."""

    def activate(self, span: WavefrontSpan, finish_on_close: bool) -> WavefrontScope:
        """Make a span current and return the scope that ends this."""
        return WavefrontScope(self, span, finish_on_close)

    @property
    def active(self) -> opentracing.Scope | None:
        """A scope of the current span, for reading; closing it changes nothing."""
        span = ACTIVE.get()
        return None if span is None else opentracing.Scope(self, span)
