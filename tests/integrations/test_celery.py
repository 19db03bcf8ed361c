"""Tasks of Celery: a span in the sender's trace, and a duration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from wf_instrument.integrations.celery import install, uninstall

import wf_instrument
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.task_always_eager = False


@app.task(name="shop.pack")
def pack(number: int) -> int:
    if number < 0:
        raise ValueError("on purpose")
    return number + 1


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    made = RecordingReporter()
    telemetry_for({"reporter": made})
    install()
    install()
    yield made
    uninstall()
    uninstall()
    wf_instrument.shutdown(5)


@pytest.fixture
def worker(reporter: RecordingReporter) -> Iterator[Any]:
    with start_worker(app, perform_ping_check=False, pool="solo") as running:
        yield running


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
def test_a_task_is_a_span_in_the_trace_of_its_sender_and_a_duration(
    reporter: RecordingReporter,
) -> None:
    with wf_instrument.span("order"):
        assert pack.delay(7).get(timeout=10) == 8
    assert reporter.wait_until(lambda known: len(known.spans) == 2, 10)
    wf_instrument.shutdown(5)
    spans = {span.name: span for span in reporter.spans}
    task, order = spans["shop.pack"], spans["order"]
    assert (task.trace_id, task.parents) == (
        order.trace_id,
        ((order.trace_id, order.span_id),),
    )
    tags = dict(task.tags)
    assert (tags["component"], tags["celery.task.state"]) == ("celery", "SUCCESS")
    (one,) = reporter.snapshot.distributions
    assert (one.name, one.histogram.count) == ("celery.task.duration", 1)
    assert dict(one.tags) == {"celery.task.name": "shop.pack", "celery.task.state": "SUCCESS"}


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
def test_a_task_that_fails_is_an_error(reporter: RecordingReporter) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        pack.delay(-1).get(timeout=10)
    assert reporter.wait_until(lambda known: len(known.spans) == 1, 10)
    (span,) = reporter.spans
    tags = dict(span.tags)
    assert (tags["error"], tags["celery.task.state"]) == ("true", "FAILURE")
