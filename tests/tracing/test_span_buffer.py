from __future__ import annotations

import io
import os
import threading

import pytest

from wf_instrument.reporting.snapshot import SnapshotDraft
from wf_instrument.tracing import (
    CompositeReporter,
    ConsoleReporter,
    InMemoryReporter,
    SpanBuffer,
    SpanData,
    WavefrontSpan,
    WavefrontTracer,
)


class _Failing:
    def report(self, span: WavefrontSpan) -> None:
        raise RuntimeError("broken")

    def get_failure_count(self) -> int:
        return 3

    def close(self) -> None:
        raise RuntimeError("broken")


def _drain(buffer: SpanBuffer) -> list[SpanData]:
    draft = SnapshotDraft()
    buffer.drain_into(draft)
    return draft.spans


def test_finished_spans_leave_with_the_next_drain_in_order() -> None:
    buffer = SpanBuffer(10)
    tracer = WavefrontTracer(buffer)
    for name in "abc":
        tracer.start_span(name).finish()
    assert [span.name for span in _drain(buffer)] == ["a", "b", "c"]
    assert _drain(buffer) == []


def test_full_buffer_drops_the_newest_and_counts_each_once() -> None:
    buffer = SpanBuffer(2)
    tracer = WavefrontTracer(buffer)
    for name in "abcde":
        tracer.start_span(name).finish()
    # Asking must not change the answer.
    assert [buffer.dropped, buffer.dropped, buffer.get_failure_count()] == [3, 3, 3]
    assert [span.name for span in _drain(buffer)] == ["a", "b"]
    tracer.start_span("f").finish()
    assert [span.name for span in _drain(buffer)] == ["f"]
    assert buffer.dropped == 3


@pytest.mark.expects_caught
def test_one_span_that_cannot_be_read_does_not_spoil_the_others() -> None:
    buffer = SpanBuffer(10)
    tracer = WavefrontTracer(buffer)
    tracer.start_span("a").finish()
    broken = tracer.start_span("b")
    broken.to_span_data = None  # type: ignore[method-assign, assignment]  # breaks it
    broken.finish()
    tracer.start_span("c").finish()
    drained = _drain(buffer)
    assert [span.name for span in drained] == ["a", "unreadable", "c"]
    assert drained[1].span_id == broken.span_id_int


@pytest.mark.slow
def test_every_span_of_many_threads_is_drained_or_counted() -> None:
    buffer = SpanBuffer(500)
    tracer = WavefrontTracer(buffer)
    done = threading.Event()
    drained: list[SpanData] = []

    def drain() -> None:
        while not done.is_set():
            drained.extend(_drain(buffer))
            assert buffer.dropped >= 0

    def work() -> None:
        for _ in range(5000):
            tracer.start_request_span("op", None, 1, None).finish_after(1)

    drainer = threading.Thread(target=drain)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in (drainer, *workers):
        thread.start()
    for thread in workers:
        thread.join(30)
    done.set()
    drainer.join(30)
    drained += _drain(buffer)
    assert len(drained) + buffer.dropped == 20_000
    assert len({span.span_id for span in drained}) == len(drained)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_starts_empty_and_the_parent_keeps_its_spans() -> None:
    buffer = SpanBuffer(1)
    tracer = WavefrontTracer(buffer)
    tracer.start_span("a").finish()
    tracer.start_span("dropped").finish()
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        inherited = [span.name for span in _drain(buffer)]
        drops = buffer.dropped
        tracer.start_span("child").finish()
        os.write(writable, f"{inherited} {drops} {[s.name for s in _drain(buffer)]}".encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        assert pipe.read() == "[] 0 ['child']"
    os.waitpid(pid, 0)
    assert ([span.name for span in _drain(buffer)], buffer.dropped) == (["a"], 1)


@pytest.mark.expects_caught
def test_reporter_that_raises_keeps_no_span_from_the_others_nor_reaches_the_application() -> None:
    kept = InMemoryReporter()
    both = CompositeReporter(_Failing(), kept)
    for reporter in (both, _Failing()):
        tracer = WavefrontTracer(reporter)
        tracer.start_span("op").finish()
        tracer.close()
    assert len(kept.spans) == 1
    assert both.get_failure_count() == 3
    assert both.get_reporters()[1] is kept


def test_console_reporter_writes_one_line_a_span() -> None:
    stream = io.StringIO()
    tracer = WavefrontTracer(ConsoleReporter("web-1", stream))
    span = tracer.start_span('a "b"\nc', start_time=1.5).set_tag("k", "v\nw")
    span.finish(1.75)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.startswith(f'"a \\"b\\"\\nc" source="web-1" traceId={span.trace_id} ')
    assert '"k"="v\\nw"' in line
    assert line.endswith(" 1500 250\n")


@pytest.mark.expects_caught
def test_console_reporter_counts_what_a_closed_stream_refuses() -> None:
    stream = io.StringIO()
    stream.close()
    reporter = ConsoleReporter("web-1", stream)
    WavefrontTracer(reporter).start_span("op").finish()
    assert reporter.get_failure_count() == 1


def test_in_memory_reporter_keeps_the_newest() -> None:
    kept = InMemoryReporter(2)
    tracer = WavefrontTracer(kept)
    for name in "abc":
        tracer.start_span(name).finish()
    assert [span.operation_name for span in kept.spans] == ["b", "c"]
    kept.clear()
    assert kept.spans == []
