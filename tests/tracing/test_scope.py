from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING

from wf_instrument.tracing import ACTIVE, InMemoryReporter, WavefrontSpan, WavefrontTracer

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncGenerator

    import pytest


def test_scope_closed_in_another_context_finishes_the_span_and_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = InMemoryReporter()
    tracer = WavefrontTracer(kept)
    scope = contextvars.copy_context().run(tracer.start_active_span, "op")
    scope.close()
    scope.close()
    assert (len(kept.spans), caplog.records, tracer.active_span) == (1, [], None)


def test_scope_closed_in_another_thread_leaves_that_threads_span_current() -> None:
    kept = InMemoryReporter()
    tracer = WavefrontTracer(kept)
    scope = contextvars.copy_context().run(tracer.start_active_span, "opened elsewhere")
    seen: list[object] = []

    def work() -> None:
        with tracer.start_active_span("own") as own:
            scope.close()
            seen.append(tracer.active_span is own.span)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert seen == [True]
    assert {span.operation_name for span in kept.spans} == {"own", "opened elsewhere"}


def test_async_generator_closed_by_another_task_never_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = InMemoryReporter()
    tracer = WavefrontTracer(kept)

    async def stream() -> AsyncGenerator[int, None]:
        with tracer.start_active_span("stream"):
            yield 1

    async def main() -> None:
        body = stream()
        assert await asyncio.create_task(body.__anext__()) == 1
        await asyncio.create_task(body.aclose())

    asyncio.run(main())
    assert len(kept.spans) == 1
    assert caplog.records == []


def test_each_task_has_its_own_current_span() -> None:
    tracer = WavefrontTracer(InMemoryReporter())

    async def child(name: str) -> tuple[str, list[uuid.UUID]]:
        with tracer.start_active_span(name) as scope:
            await asyncio.sleep(0)
            span: WavefrontSpan = scope.span
            assert tracer.active_span is span
            return span.operation_name, span.get_parents()

    async def main() -> None:
        with tracer.start_active_span("root") as root:
            results = await asyncio.gather(*(child(str(n)) for n in range(20)))
            assert results == [(str(n), [root.span.span_id]) for n in range(20)]

    asyncio.run(main())


def test_span_made_current_without_a_scope_can_be_read_through_the_scope_manager() -> None:
    tracer = WavefrontTracer(InMemoryReporter())
    span = tracer.start_request_span("op", None, 1, None)
    token = ACTIVE.set(span)
    try:
        active = tracer.scope_manager.active
        active.close()
        assert (active.span, tracer.active_span) == (span, span)
    finally:
        ACTIVE.reset(token)
