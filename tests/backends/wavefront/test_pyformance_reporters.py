"""The reporters of the Wavefront pyformance SDK: names, tags, granularities, and nothing lost."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from awkward import Clock, Mute
from loopback import Answer, LoopbackReceiver
from wf_instrument.backends.wavefront import (
    WavefrontClient,
    WavefrontDirectReporter,
    WavefrontProxyReporter,
    WavefrontReporter,
)
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.metrics import TaggedRegistry, delta_counter, wavefront_histogram
from wf_instrument.metrics.wavefront_histogram import WavefrontHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.fixture
def registry() -> TaggedRegistry:
    return TaggedRegistry()


def reporter_to(
    receiver: LoopbackReceiver, registry: TaggedRegistry, **settings: Any
) -> WavefrontProxyReporter:
    settings = {"source": "h", "prefix": "", "enable_internal_metrics": False, **settings}
    return WavefrontProxyReporter("127.0.0.1", receiver.port, registry=registry, **settings)


def values(receiver: LoopbackReceiver) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in receiver.lines("f=wavefront"):
        found.setdefault(line.split('"')[1], []).append(float(line.split()[1]))
    return found


def test_every_kind_of_metric_has_the_value_keys_of_pyformance(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    registry.counter("c").inc()
    registry.gauge("g", lambda: 7)
    registry.meter("m").mark()
    with registry.timer("t").time():
        pass
    registry.histogram("h").add(4)
    reporter_to(receiver, registry, prefix="own.").stop()
    statistics = {
        "avg", "sum", "count", "max", "min", "std_dev", "50_percentile", "75_percentile",
        "95_percentile", "99_percentile", "999_percentile",
    }  # fmt: skip
    rates = {"mean_rate", "1m_rate", "5m_rate", "15m_rate"}
    assert set(values(receiver)) == {
        "own.c.count", "own.g.value", *(f"own.m.{key}" for key in rates | {"count"}),
        *(f"own.t.{key}" for key in rates | statistics), *(f"own.h.{key}" for key in statistics),
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "prefix"), [("proxy", "proxy."), ("direct", "direct.")])
def test_the_prefix_tells_the_way_by_default(
    receiver: LoopbackReceiver, registry: TaggedRegistry, kind: str, prefix: str
) -> None:
    reporter: WavefrontReporter
    if kind == "proxy":
        reporter = WavefrontProxyReporter("127.0.0.1", receiver.port, registry=registry)
    else:
        reporter = WavefrontDirectReporter(receiver.url, "TOKEN", registry=registry)
    assert isinstance(reporter.wavefront_client, WavefrontClient)
    registry.counter("c").inc()
    reporter.stop()
    (line,) = [line for line in receiver.lines("f=wavefront") if "c.count" in line]
    assert line.startswith(f'"{prefix}c.count" 1.0 ')
    assert 'source="wavefront-pyformance"' in line
    assert ("authorization" in receiver.received[0].headers) == (kind == "direct")


@pytest.mark.parametrize("server", ["cluster.wavefront.com", "ftp://x", "", "https://"])
def test_a_cluster_that_is_no_url_is_told_without_its_token(server: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        WavefrontDirectReporter(server, "SECRET")
    assert "SECRET" not in str(caught.value)


def test_a_metrics_tag_wins_over_the_reporters_and_unset_ones_are_left_out(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    registry.counter("c", {"a": "metric"}).inc()
    tags: dict[str, Any] = {"a": "reporter", "b": "reporter", "unset": None, "blank": " "}
    reporter_to(receiver, registry, tags=tags).stop()
    (line,) = receiver.lines("f=wavefront")
    assert line.endswith('source="h" "a"="metric" "b"="reporter"\n')


def test_the_time_is_the_one_given_or_the_clocks(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    clock = Clock(1_600_000_000.9)
    reporter = reporter_to(receiver, registry, clock=clock)
    registry.counter("c").inc()
    reporter.report_now(timestamp=1_500_000_000)
    reporter.report_now()
    clock.now -= 100
    reporter.stop()
    times = [line.split()[2] for line in receiver.lines("f=wavefront")]
    assert times == ["1500000000", "1600000000", "1599999900"]


def test_another_registry_is_reported_when_given(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    other = TaggedRegistry()
    delta_counter(other, "d").inc(2)
    reporter = reporter_to(receiver, registry)
    reporter.report_now(registry=other)
    reporter.report_now(registry=other)
    reporter.stop()
    assert values(receiver) == {"∆d.count": [2.0]}


@pytest.mark.parametrize(
    ("chosen", "granularities"),
    [((), ["!M"]), (("minute", "hour", "day"), ["!D", "!H", "!M"]), (("day",), ["!D"])],
)
def test_distributions_leave_in_the_granularities_that_were_chosen(
    receiver: LoopbackReceiver,
    registry: TaggedRegistry,
    chosen: tuple[str, ...],
    granularities: list[str],
) -> None:
    reporter = reporter_to(receiver, registry)
    for name in chosen:
        assert getattr(reporter, f"report_{name}_distribution")() is reporter
    wavefront_histogram(registry, "h", {"k": "v"}).add(2.0)
    reporter.stop()
    lines = receiver.lines("f=histogram")
    assert [line[:2] for line in lines] == granularities
    minute_s = int(lines[0].split()[1])
    assert minute_s % 60 == 0
    assert abs(time.time() - minute_s) < 120  # in seconds
    assert lines[0].endswith('#1 2.0 "h" source="h" "k"="v"\n')


def test_past_minutes_leave_with_each_report_and_the_current_one_at_the_end(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    clock = Clock(1_700_000_040.0)
    histogram = WavefrontHistogram(clock)
    registry.add("h", histogram)
    reporter = reporter_to(receiver, registry)
    histogram.add(1.0)
    reporter.report_now()
    clock.now += 60
    histogram.add(2.0)
    reporter.report_now()
    reporter.wavefront_client.flush_now()
    assert receiver.lines() == ['!M 1700000040 #1 1.0 "h" source="h"\n']
    reporter.stop()
    assert receiver.lines()[1:] == ['!M 1700000100 #1 2.0 "h" source="h"\n']


def test_values_of_many_threads_leave_in_one_line_a_series_and_minute(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    histogram = WavefrontHistogram(lambda: 1_700_000_040.0)
    registry.add("h", histogram)
    threads = [threading.Thread(target=histogram.add, args=(1.0,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter_to(receiver, registry).stop()
    assert receiver.lines() == ['!M 1700000040 #8 1.0 "h" source="h"\n']


def test_an_unchanged_delta_counter_is_not_sent(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    reporter = reporter_to(receiver, registry, prefix="p.")
    counter = delta_counter(registry, "d", {"k": "v"})
    reporter.report_now()
    counter.inc(2)
    reporter.report_now()
    reporter.report_now()
    reporter.stop()
    assert receiver.lines() == ['"∆p.d.count" 2.0 source="h" "k"="v"\n']


def test_two_reporters_on_one_registry_both_send_every_change(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    one = reporter_to(receiver, registry, prefix="one.")
    other = reporter_to(receiver, registry, prefix="other.")
    counter = delta_counter(registry, "d")
    for _ in range(3):
        counter.inc()
        one.report_now()
    one.stop()
    other.stop()
    assert values(receiver) == {"∆one.d.count": [1, 1, 1], "∆other.d.count": [3]}


def test_what_a_full_client_refuses_goes_with_the_next_report(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    receiver.answer = lambda _: Answer(503)
    reporter = reporter_to(receiver, registry)
    client = WavefrontClient(
        receiver.url, max_queue_size=1, flush_interval_seconds=3600, enable_internal_metrics=False
    )
    reporter.wavefront_client = client
    counters = [delta_counter(registry, name) for name in ("a", "b", "c")]
    for name in ("h", "i"):
        wavefront_histogram(registry, name).add(1.0)
    for counter in counters:
        counter.inc()
    reporter._report(registry, None, current_minute=True)  # noqa: SLF001 - as `stop` does
    counters[2].inc()
    reporter.report_now()
    receiver.answer = lambda _: Answer()
    for _ in range(6):
        client.flush_now()
        reporter.report_now()
    reporter.stop()
    assert {name: sum(sent) for name, sent in values(receiver).items()} == {
        "∆a.count": 1, "∆b.count": 1, "∆c.count": 2,
    }  # fmt: skip
    histograms = receiver.lines("f=histogram")
    assert sorted(line.split('"')[1] for line in histograms) == ["h", "i"]


def test_nan_and_infinite_values_are_skipped_and_counted(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    reporter = reporter_to(receiver, registry)
    for name in ("nan", "inf", "-inf"):
        registry.gauge(name, lambda name=name: float(name))
        wavefront_histogram(registry, "h").add(float(name))
    registry.gauge("sound", lambda: 1)
    reporter.stop()
    assert values(receiver) == {"sound.value": [1.0]}
    assert receiver.lines("f=histogram") == []
    assert reporter.skipped == 6


@pytest.mark.expects_caught
def test_a_failing_gauge_tag_or_client_reaches_nobody(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    class Client(WavefrontClient):
        def send_delta_counter(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("broken")

    reporter = reporter_to(receiver, registry, tags={"k": "v"})
    reporter.wavefront_client = Client(receiver.url, enable_internal_metrics=False)
    registry.gauge("bad", lambda: 1 / 0)
    registry.gauge("mute", Mute)
    delta_counter(registry, "d").inc()
    registry.counter("c").inc()
    reporter.stop()
    assert values(receiver) == {"c.count": [1.0]}
    reporter.tags = {"k": Mute()}  # type: ignore[dict-item]  # what a careless caller does
    reporter.report_now()


@pytest.mark.expects_caught
def test_stopping_closes_the_client_whatever_fails_and_works_twice(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    reporter = reporter_to(receiver, registry, clock=object())
    reporter.stop()
    reporter.stop()
    assert reporter.wavefront_client.sender.is_closed


def test_a_started_reporter_reports_every_interval_once_started(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    reporter = reporter_to(receiver, registry, reporting_interval=0.02)
    reporter.wavefront_client.close()
    reporter.wavefront_client = WavefrontClient(
        receiver.url, flush_interval_seconds=0.02, enable_internal_metrics=False
    )
    registry.counter("c").inc()
    assert reporter.start()
    assert not reporter.start()
    assert len(receiver.wait_for_lines(3)) >= 3
    reporter.stop()
    assert not reporter.start()


def test_handed_to_the_pipeline_it_sends_no_change_a_second_time(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    reporter = reporter_to(receiver, registry).report_hour_distribution()
    delta_counter(registry, "d").inc()
    piped = reporter.as_pipeline_reporter(Identity(ApplicationTags("a", "s"), "h"))
    assert piped.client is reporter.wavefront_client
    reporter.stop()
    assert receiver.lines() == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sends_its_own_changes_alone(
    receiver: LoopbackReceiver, registry: TaggedRegistry
) -> None:
    reporter = reporter_to(receiver, registry)
    counter = delta_counter(registry, "d")
    counter.inc(5)
    pid = os.fork()
    if pid == 0:
        counter.inc(2)
        reporter.stop()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    reporter.stop()
    assert values(receiver) == {"∆d.count": [2.0, 5.0]}
