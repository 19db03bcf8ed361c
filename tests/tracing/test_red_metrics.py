"""Rate, errors and durations of spans: every one counts, whoever samples."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

import wf_instrument
from loopback import Answer, LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontClient, WavefrontSpanReporter
from wf_instrument.identity import ApplicationTags
from wf_instrument.settings import Settings
from wf_instrument.telemetry import Telemetry
from wf_instrument.testing import RecordingReporter
from wf_instrument.tracing import (
    CompositeReporter,
    ConstantSampler,
    InMemoryReporter,
    WavefrontTracer,
)
from wf_instrument.tracing.red_metrics import MAX_SERIES, RedMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = ApplicationTags("shop app", "styling", "us-west-1", custom_tags=[("env", "x")])
LEAD = "tracing.derived.shop-app.styling"


def tracer_of(*keys: str, decision: bool = True) -> tuple[WavefrontTracer, RedMetrics]:
    samplers = [ConstantSampler(decision)]
    tracer = WavefrontTracer(
        InMemoryReporter(), TAGS, samplers=samplers, red_metrics_custom_tag_keys=keys
    )
    return tracer, tracer.derive_red_metrics()


def finish(tracer: WavefrontTracer, name: str, millis: int, **tags: object) -> None:
    span = tracer.start_span(name, start_time=60.0, ignore_active_span=True)
    for key, value in tags.items():
        span.set_tag(key.replace("__", "."), value)
    span.finish(60.0 + millis / 1e3)


@pytest.mark.parametrize("decision", [True, False])
def test_every_span_counts_sampled_or_not(decision: bool) -> None:
    tracer, red = tracer_of(decision=decision)
    finish(tracer, "get users", 5)
    finish(tracer, "get users", 7)
    finish(tracer, "get users", 9, error=True)
    counts, durations = red.drain()
    tags = {
        "application": "shop app", "service": "styling", "cluster": "us-west-1", "shard": "none",
        "component": "none", "span.kind": "none", "operationName": "get users",
    }  # fmt: skip
    assert [(name, value) for name, value, _ in counts] == [
        (f"{LEAD}.get-users.invocation.count", 3),
        (f"{LEAD}.get-users.error.count", 1),
        (f"{LEAD}.get-users.total_time.millis.count", 21),
    ]
    assert all(dict(row.tags) == tags for row in counts)
    rows = [(r.name, r.minute_s, r.histogram.count, dict(r.tags)) for r in durations]
    assert rows == [
        (f"{LEAD}.get-users.duration.micros", 60, 2, tags),
        (f"{LEAD}.get-users.duration.micros", 60, 1, {**tags, "error": "true"}),
    ]
    assert durations[0].histogram.sum == pytest.approx(12_000)
    assert red.drain() == ([], [])


def test_tags_that_tell_series_apart_are_these_and_those_asked_for() -> None:
    tracer, red = tracer_of("tenant")
    finish(tracer, "op", 1, span__kind="server", component="flask", http__status_code=200)
    finish(tracer, "op", 1, span__kind="server", component="flask", http__status_code=404)
    finish(tracer, "op", 1, tenant="blue", other="ignored", service="own")
    counts, _ = red.drain()
    found = [dict(r.tags) for r in counts if r.name.endswith("invocation.count")]
    assert [tags.get("http.status_code") for tags in found] == ["200", "404", None]
    assert (found[0]["component"], found[0]["span.kind"]) == ("flask", "server")
    assert (found[2]["tenant"], found[2]["service"]) == ("blue", "own")
    assert not any("other" in tags or "env" in tags for tags in found)
    assert {r.name for r in counts if r.name.endswith("invocation.count")} == {
        f"{LEAD}.op.invocation.count", "tracing.derived.shop-app.own.op.invocation.count",
    }  # fmt: skip


def test_tags_that_every_span_of_a_tracer_has_tell_series_apart_too() -> None:
    tags = ApplicationTags("a", "s", custom_tags={"env": "test", "ignored": "x"})
    tracer = WavefrontTracer(
        None, tags, {"tenant": "blue", "component": "celery"},
        red_metrics_custom_tag_keys=["env", "tenant"],
    )  # fmt: skip
    red = tracer.derive_red_metrics()
    finish(tracer, "op", 1)
    finish(tracer, "op", 1, tenant="red", component="own")
    counts, _ = red.drain()
    found = [dict(r.tags) for r in counts if r.name.endswith("invocation.count")]
    assert [(t["env"], t["tenant"], t["component"]) for t in found] == [
        ("test", "blue", "celery"), ("test", "red", "own"),
    ]  # fmt: skip
    assert all("ignored" not in tags for tags in found)


def test_durations_of_the_current_minute_wait_when_they_should() -> None:
    tracer, red = tracer_of()
    finish(tracer, "op", 1)
    span = tracer.start_span("op", start_time=130.0)
    span.finish(130.5)
    _, durations = red.drain(current_minute=False)
    assert [row.minute_s for row in durations] == [60]
    _, durations = red.drain()
    assert [row.minute_s for row in durations] == [120]


def test_operations_without_end_share_one_series() -> None:
    tracer, red = tracer_of()
    for number in range(MAX_SERIES + 50):
        finish(tracer, f"op-{number}", 1)
    counts, _ = red.drain()
    invocations = [r for r in counts if r.name.endswith("invocation.count")]
    assert len(invocations) == MAX_SERIES + 1
    assert (invocations[-1].name, invocations[-1].value) == (
        f"{LEAD}._OVERFLOW_.invocation.count", 50,
    )  # fmt: skip
    assert red.overflowed == 50


@pytest.mark.slow
def test_no_span_of_many_threads_is_lost() -> None:
    tracer, red = tracer_of()
    total = 0
    is_over = threading.Event()

    def work() -> None:
        for _ in range(3000):
            tracer.start_span("op", ignore_active_span=True).finish()

    def drain() -> None:
        nonlocal total
        while not is_over.is_set():
            total += sum(r.value for r in red.drain()[0] if "invocation" in r.name)

    drainer = threading.Thread(target=drain)
    workers = [threading.Thread(target=work) for _ in range(8)]
    for thread in [drainer, *workers]:
        thread.start()
    for thread in workers:
        thread.join()
    is_over.set()
    drainer.join()
    total += sum(r.value for r in red.drain()[0] if "invocation" in r.name)
    assert total == 24_000


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_counts_only_its_own() -> None:
    tracer, red = tracer_of()
    finish(tracer, "op", 1)
    pid = os.fork()
    if pid == 0:
        finish(tracer, "op", 1)
        finish(tracer, "op", 1)
        counts, _ = red.drain()
        os._exit(0 if counts[0].value == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert red.drain()[0][0].value == 1


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.mark.parametrize("is_composite", [False, True])
def test_the_span_reporter_sends_them_and_heartbeats(
    receiver: LoopbackReceiver, is_composite: bool
) -> None:
    client = WavefrontClient(receiver.url)
    spans = WavefrontSpanReporter(client, source="host-1")
    reporter = CompositeReporter(InMemoryReporter(), spans) if is_composite else spans
    tracer = WavefrontTracer(reporter, TAGS, samplers=[ConstantSampler(False)])
    finish(tracer, "op", 5)
    deadline = time.monotonic() + 20
    while client.sender.counts["points"].valid < 3:  # the first heartbeats, of another thread
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)
    tracer.close()
    client.close()
    points = receiver.lines("f=wavefront")
    own = '"application"="shop app" "service"="styling" "cluster"="us-west-1" "shard"="none"'
    assert f'"∆{LEAD}.op.invocation.count" 1.0 source="host-1" {own}' in "".join(points)
    assert [line for line in points if "total_time.millis" in line]
    (durations,) = receiver.lines("f=histogram")
    assert durations.startswith(f'!M 60 #1 5000.0 "{LEAD}.op.duration.micros" source="host-1"')
    beats = [line for line in points if line.startswith('"~component.heartbeat" 1.0')]
    assert {part for line in beats for part in line.split() if part.startswith('"component"')} == {
        '"component"="wavefront-generated"', '"component"="opentracing"', '"component"="python"',
    }  # fmt: skip
    assert receiver.lines("f=trace") == []  # sampled out, and counted all the same


def test_what_a_full_client_refuses_is_sent_with_the_next_report(
    receiver: LoopbackReceiver,
) -> None:
    receiver.answer = lambda _: Answer(503)
    client = WavefrontClient(receiver.url, max_queue_size=1, flush_interval_seconds=3600)
    reporter = WavefrontSpanReporter(client, source="h")
    tracer = WavefrontTracer(reporter, TAGS)
    for _ in range(3):
        finish(tracer, "op", 5)
    reporter._red[0].report()  # noqa: SLF001 - a minute passes
    receiver.answer = lambda _: Answer()
    for _ in range(8):
        client.sender.flush(10)
        reporter._red[0].report()  # noqa: SLF001 - as above
    client.sender.flush(10)
    values = {
        line.split('"')[1]: line.split()[1] for line in receiver.lines() if "invocation" in line
    }
    assert values == {f"∆{LEAD}.op.invocation.count": "3.0"}
    tracer.close()
    client.close()


def test_the_pipeline_reports_them_when_asked() -> None:
    reporter = RecordingReporter()
    settings = Settings(application="a", service="s", red_metrics=True)
    telemetry = Telemetry(settings, reporters=[("recording", reporter)])
    telemetry.tracer.start_span("op").finish()
    assert telemetry.flush(10)
    names = {point.name for point in reporter.snapshot.points}
    assert "tracing.derived.a.s.op.invocation.count" in names
    assert [row.name for row in reporter.snapshot.distributions] == [
        "tracing.derived.a.s.op.duration.micros"
    ]
    telemetry.shutdown(5)
    wf_instrument.shutdown(5)
