"""The SDK's own metrics: what a registry sends, when, and what it leaves out."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontClient
from wf_instrument.backends.wavefront.sdk_metrics import (
    WavefrontSdkCounter,
    WavefrontSdkDeltaCounter,
    WavefrontSdkGauge,
    WavefrontSdkMetric,
    WavefrontSdkMetricsRegistry,
)
from wf_instrument.errors import QueueFullError, SendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Sender:
    """Keeps what it is given, or fails."""

    def __init__(self) -> None:
        self.points: list[tuple[str, float]] = []
        self.error: Exception | None = None
        self.attempts = 0
        self.changed = threading.Condition()

    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        self.attempts += 1
        if self.error is not None:
            raise self.error
        with self.changed:
            self.points.append((name, value))
            self.changed.notify_all()

    def send_delta_counter(
        self, name: str, value: float, source: str | None, tags: Mapping[str, str] | None
    ) -> None:
        self.send_metric(name, value, None, source, tags)


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def registry(sender: Sender) -> Iterator[WavefrontSdkMetricsRegistry]:
    made = WavefrontSdkMetricsRegistry(sender, prefix="p", reporting_interval_secs=3600)
    yield made
    made.close(1)


def test_metrics_arrive_with_prefix_source_and_tags() -> None:
    with LoopbackReceiver() as receiver:
        client = WavefrontClient(receiver.url, flush_interval_seconds=3600)
        registry = WavefrontSdkMetricsRegistry(client, "host-1", {"k": "v"}, "~sdk.python")
        registry.new_counter("all").inc(3)
        registry.new_delta_counter("new").inc()
        registry.new_gauge("size", lambda: 7)
        registry.close()
        client.close()
        rest = ' source="host-1" "k"="v"\n'
        first, second, third = sorted(receiver.lines())
        assert first.startswith('"~sdk.python.all.count" 3.0 1')
        assert second.startswith('"~sdk.python.size" 7.0 1')
        assert third == '"∆~sdk.python.new.count" 1.0' + rest
        assert first.endswith(rest)
        assert second.endswith(rest)


def test_a_name_gives_the_same_metric_and_never_one_of_another_kind(
    registry: WavefrontSdkMetricsRegistry,
) -> None:
    counter = registry.new_counter("a")
    assert registry.new_counter("a") is counter
    gauge = registry.new_gauge("g", lambda: 1)
    assert registry.new_gauge("g", lambda: 2) is gauge
    assert gauge.get_value() == 1
    for make in (registry.new_delta_counter, lambda name: registry.new_gauge(name, int)):
        with pytest.raises(TypeError, match="'a' is a WavefrontSdkCounter"):
            make("a")
    kinds = (WavefrontSdkCounter, WavefrontSdkDeltaCounter, WavefrontSdkGauge)
    assert all(issubclass(kind, WavefrontSdkMetric) for kind in kinds)


def test_a_counter_counts_both_ways_and_begins_again() -> None:
    counter = WavefrontSdkCounter()
    counter.inc()
    counter.inc(5)
    counter.dec()
    counter.dec(2)
    assert counter.count() == 3
    counter.clear()
    assert counter.count() == 0


def test_a_delta_is_sent_when_it_changed_and_what_was_sent_is_subtracted(
    registry: WavefrontSdkMetricsRegistry, sender: Sender
) -> None:
    counter = registry.new_delta_counter("c")
    registry.report()
    counter.inc(2)
    registry.report()
    registry.report()
    counter.inc(3)
    registry.report()
    assert sender.points == [("∆p.c.count", 2), ("∆p.c.count", 3)]
    assert counter.count() == 0


@pytest.mark.parametrize("error", [QueueFullError("full"), SendError("away")])
def test_what_the_sender_refuses_of_a_delta_goes_with_the_next_report(
    registry: WavefrontSdkMetricsRegistry, sender: Sender, error: Exception
) -> None:
    counter = registry.new_delta_counter("c")
    counter.inc(2)
    sender.error = error
    registry.report()
    counter.inc(1)
    sender.error = None
    registry.report()
    assert sender.points == [("∆p.c.count", 3)]


def test_an_absent_proxy_is_tried_once_a_report(
    registry: WavefrontSdkMetricsRegistry, sender: Sender
) -> None:
    for name in "abc":
        registry.new_counter(name)
    sender.error = SendError("away")
    registry.report()
    assert sender.attempts == 1


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "text"])
def test_a_gauge_without_a_finite_number_is_left_out(
    registry: WavefrontSdkMetricsRegistry, sender: Sender, value: object
) -> None:
    registry.new_gauge("bad", lambda: value)
    registry.new_gauge("good", lambda: 0.5)
    registry.report()
    assert sender.points == [("p.good", 0.5)]


@pytest.mark.expects_caught
def test_a_gauge_that_fails_costs_no_other(
    registry: WavefrontSdkMetricsRegistry, sender: Sender
) -> None:
    registry.new_gauge("bad", lambda: 1 / 0)
    registry.new_gauge("good", lambda: 1)
    registry.report()
    assert sender.points == [("p.good", 1)]


def test_a_registry_reports_by_itself_every_interval(sender: Sender) -> None:
    registry = WavefrontSdkMetricsRegistry(sender, reporting_interval_secs=0.01)
    registry.new_counter("c")
    with sender.changed:
        assert sender.changed.wait_for(lambda: len(sender.points) >= 3, 10)
    registry.close(timeout_secs=5)
    count = len(sender.points)
    registry.close()
    assert len(sender.points) == count
    assert set(sender.points) == {("c.count", 0)}


def test_threads_lose_no_count(registry: WavefrontSdkMetricsRegistry, sender: Sender) -> None:
    counter = registry.new_delta_counter("c")

    def count() -> None:
        for _ in range(5000):
            counter.inc()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        registry.report()
    registry.report()
    assert sum(value for _, value in sender.points) == 20_000


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_reports_what_it_counted_itself(sender: Sender) -> None:
    registry = WavefrontSdkMetricsRegistry(sender, reporting_interval_secs=0.05)
    counter = registry.new_delta_counter("c")
    counter.inc(7)
    statuses: list[int] = []

    def fork() -> None:
        """Fork in the middle of a report."""
        pid = os.fork() if not statuses else -1
        if pid == 0:
            code = 1
            try:
                statuses.append(0)
                sender.points, sender.changed = [], threading.Condition()
                counter.inc(2)
                with sender.changed:
                    sender.changed.wait_for(lambda: bool(sender.points), 10)
                code = 0 if sender.points == [("∆c.count", 2)] else 2
            finally:
                os._exit(code)
        if pid > 0:
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    registry.new_gauge("fork", fork)
    registry.report()
    registry.close()
    assert statuses == [0]
    assert sender.points == [("∆c.count", 7)]
