from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING

from opentracing.harness.api_check import APICompatibilityCheckMixin
from opentracing.harness.scope_check import ScopeCompatibilityCheckMixin

from wf_instrument.tracing import InMemoryReporter, WavefrontTracer
from wf_instrument.tracing.scope import ContextScopeManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.tracing import WavefrontSpan


class TestTracerKeepsTheOpenTracingContract(APICompatibilityCheckMixin):  # type: ignore[misc]  # untyped
    def tracer(self) -> WavefrontTracer:
        return WavefrontTracer(InMemoryReporter())

    def is_parent(self, parent: WavefrontSpan | None, span: WavefrontSpan) -> bool:
        if parent is None:
            return not span.get_parents()
        return span.get_parents() == [parent.span_id] and span.trace_id == parent.trace_id


class TestScopesKeepTheOpenTracingContract(ScopeCompatibilityCheckMixin):  # type: ignore[misc]  # untyped
    def scope_manager(self) -> ContextScopeManager:
        return ContextScopeManager()

    def run_test(self, test_fn: Callable[[], None]) -> None:
        # One test leaves a scope open, which must not be current in the next.
        contextvars.copy_context().run(test_fn)
