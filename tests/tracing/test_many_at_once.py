"""A thousand threads and ten thousand tasks: no span is lost, and each knows its own parent."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from wf_instrument.identity import ApplicationTags
from wf_instrument.reporting.snapshot import SnapshotDraft
from wf_instrument.tracing import InMemoryReporter, SpanBuffer, WavefrontTracer

TAGS = ApplicationTags("a", "s")


@pytest.mark.slow
def test_ten_thousand_tasks_each_have_their_own_current_span() -> None:
    reporter = InMemoryReporter(30_000)
    tracer = WavefrontTracer(reporter, TAGS)
    red = tracer.derive_red_metrics()

    async def work(number: int) -> None:
        with tracer.start_active_span("outer") as outer:
            await asyncio.sleep(0)
            with tracer.start_active_span("inner") as inner:
                await asyncio.sleep(0)
                assert inner.span.get_parents() == [outer.span.span_id]
            assert tracer.active_span is outer.span

    async def main() -> None:
        await asyncio.gather(*(work(number) for number in range(10_000)))

    asyncio.run(main())
    assert len(reporter.spans) == 20_000
    assert len({span.trace_id_int for span in reporter.spans}) == 10_000
    counts, _ = red.drain()
    assert {
        row.name.rpartition(".inv")[0].rpartition(".")[2]: row.value
        for row in counts
        if row.name.endswith("invocation.count")
    } == {"outer": 10_000, "inner": 10_000}


@pytest.mark.slow
def test_a_thousand_threads_lose_no_span_while_they_are_drained() -> None:
    buffer = SpanBuffer(1_000_000)
    tracer = WavefrontTracer(buffer, TAGS)
    begin = threading.Barrier(1001)
    is_over = threading.Event()
    drained = 0

    def work() -> None:
        begin.wait(60)
        for _ in range(20):
            with tracer.start_active_span("op"):
                pass

    def drain() -> int:
        draft = SnapshotDraft()
        buffer.drain_into(draft)
        return len(draft.spans)

    threads = [threading.Thread(target=work) for _ in range(1000)]
    for thread in threads:
        thread.start()

    def drain_all_the_time() -> None:
        nonlocal drained
        while not is_over.wait(0.001):
            drained += drain()

    drainer = threading.Thread(target=drain_all_the_time)
    drainer.start()
    begin.wait(60)
    for thread in threads:
        thread.join()
    is_over.set()
    drainer.join()
    assert drained + drain() == 20_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_across_forks_every_process_has_exactly_its_own() -> None:
    buffer = SpanBuffer(10_000)
    tracer = WavefrontTracer(buffer, TAGS)
    red = tracer.derive_red_metrics()
    tracer.start_span("parent").finish()
    children = []
    for number in range(8):
        pid = os.fork()
        if pid == 0:
            for _ in range(100 + number):
                tracer.start_span("child").finish()
            draft = SnapshotDraft()
            buffer.drain_into(draft)
            counts, _ = red.drain()
            is_right = len(draft.spans) == counts[0].value == 100 + number
            os._exit(0 if is_right else 1)
        children.append(pid)
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    draft = SnapshotDraft()
    buffer.drain_into(draft)
    assert [span.name for span in draft.spans] == ["parent"]
    assert red.drain()[0][0].value == 1
