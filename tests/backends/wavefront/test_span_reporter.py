"""The span reporter of a tracer: cheap, bounded, and nothing twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from awkward import Loud, Mute
from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontClient, WavefrontSpanReporter
from wf_instrument.identity import ApplicationTags
from wf_instrument.tracing import WavefrontTracer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.fixture
def client(receiver: LoopbackReceiver) -> Iterator[WavefrontClient]:
    made = WavefrontClient(receiver.url, flush_interval_seconds=3600)
    yield made
    made.close(1)


def tracer_of(reporter: WavefrontSpanReporter) -> WavefrontTracer:
    return WavefrontTracer(reporter, ApplicationTags("Ordering", "styling"))


def test_finished_spans_arrive_with_the_reporters_source(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    reporter = WavefrontSpanReporter(client, source="host-1")
    tracer_of(reporter).start_span("op").finish()
    reporter.close()
    client.flush_now()
    (line,) = receiver.lines("trace")
    assert line.startswith('"op" source="host-1" traceId=')
    assert reporter.get_failure_count() == 0


def test_flushing_from_many_threads_sends_every_span_once(
    receiver: LoopbackReceiver, client: WavefrontClient
) -> None:
    reporter = WavefrontSpanReporter(client, source="host-1")
    tracer = tracer_of(reporter)

    def work(number: int) -> None:
        for index in range(100):
            tracer.start_span(f"op-{number}-{index}").finish()
            if index % 10 == 0:
                reporter.flush()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter.close()
    client.flush_now()
    names = [line.split('"')[1] for line in receiver.lines("trace")]
    assert sorted(names) == sorted(f"op-{n}-{i}" for n in range(8) for i in range(100))


def test_a_full_or_closed_reporter_drops_and_counts(client: WavefrontClient) -> None:
    reporter = WavefrontSpanReporter(client, max_queue_size=0, log_percent=0.0)
    tracer = tracer_of(reporter)
    tracer.start_span("one").finish()
    reporter.close()
    tracer.start_span("two").finish()
    assert reporter.get_failure_count() == 2


@pytest.mark.parametrize(("share", "lines"), [(1.0, 1), (0.0, 0)])
def test_a_share_of_the_dropped_spans_is_logged_and_no_more_than_a_line_a_minute(
    client: WavefrontClient, caplog: pytest.LogCaptureFixture, share: float, lines: int
) -> None:
    reporter = WavefrontSpanReporter(client, max_queue_size=0, log_percent=share)
    tracer = tracer_of(reporter)
    for _ in range(20):
        tracer.start_span("op").finish()
    reporter.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"] * lines
    assert reporter.get_failure_count() == 20


@pytest.mark.parametrize("make", [Mute, lambda: Loud("red")])
@pytest.mark.expects_caught
def test_a_span_with_any_tag_arrives(
    receiver: LoopbackReceiver, client: WavefrontClient, make: Any
) -> None:
    reporter = WavefrontSpanReporter(client, source="h")
    tracer_of(reporter).start_span("op", tags={"k": make()}).finish()
    reporter.close()
    client.flush_now()
    assert len(receiver.lines("trace")) == 1
    assert reporter.get_failure_count() == 0


def test_red_metrics_are_reported_as_often_as_the_tracer_is_told(
    receiver: LoopbackReceiver,
) -> None:
    client = WavefrontClient(receiver.url, flush_interval_seconds=0.02)
    reporter = WavefrontSpanReporter(client, source="h")
    tracer = WavefrontTracer(reporter, ApplicationTags("a", "s"), report_frequency_millis=20)
    for number in (1, 2):
        tracer.start_span("op").finish()
        assert receiver.wait_until(
            lambda number=number: "".join(receiver.lines()).count("invocation.count") == number
        )
    tracer.close()
    client.close()


def test_closing_the_client_first_sends_the_spans_and_red_metrics_kept() -> None:
    with LoopbackReceiver() as receiver:
        client = WavefrontClient(receiver.url, flush_interval_seconds=3600)
        tracer = WavefrontTracer(WavefrontSpanReporter(client), ApplicationTags("a", "b"))
        tracer.start_span("kept").finish()
        client.close()
        assert [line for line in receiver.lines("f=trace") if line.startswith('"kept"')]
        assert [one for one in receiver.lines("f=wavefront") if "kept.invocation" in one]
        tracer.close()
