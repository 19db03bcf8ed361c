"""The pyformance reporter: what it sends, what it tells, and its thread."""

from __future__ import annotations

import gc
import json
import math
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from apptuit_service import OK, REFUSED, ApptuitService
from compat.legacy_program import run
from loopback import Answer, LoopbackReceiver
from wf_instrument.backends.apptuit import (
    ApptuitException,
    ApptuitReporter,
    ApptuitSendException,
    default_error_handler,
    encode_metric,
)
from wf_instrument.metrics import TaggedRegistry
from wf_instrument.metrics.pyformance_shim import (
    CallbackGauge,
    MetricsRegistry,
    Reporter,
    global_registry,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = socket.gethostname()
HISTOGRAM = [
    "avg", "count", "max", "min", "std_dev", "75_percentile", "95_percentile", "99_percentile",
    "999_percentile",
]  # fmt: skip
RATES = ["mean_rate", "1m_rate", "5m_rate", "15m_rate"]
META = "apptuit_reporter_send"
META_NAMES = {f"{META}_{name}_count" for name in ("total", "successful", "failed")} | {
    f"{META}_time_{suffix}" for suffix in (*HISTOGRAM, "sum", "50_percentile", *RATES)
}


@pytest.fixture
def service() -> Iterator[ApptuitService]:
    with ApptuitService() as made:
        yield made


@pytest.fixture
def registry() -> MetricsRegistry:
    made = MetricsRegistry()
    made.counter("orders").inc(3)
    return made


def reporter_of(
    service: LoopbackReceiver, registry: MetricsRegistry | None = None, **more: Any
) -> ApptuitReporter:
    more.setdefault("first_pause_s", 0.01)
    return ApptuitReporter(registry, token="TOKEN", api_endpoint=service.url, **more)


def own(service: ApptuitService) -> dict[str, float]:
    """Return the values of the registry alone."""
    return {k: v for k, v in service.values().items() if not k.startswith(META)}


def tags_of(service: ApptuitService, metric: str = "orders_count") -> dict[str, Any]:
    tags: dict[str, Any] = next(r["tags"] for r in service.rows() if r["metric"] == metric)
    return tags


# --- tags, names and times ----------------------------------------------------------------------


def test_tags_of_the_metric_win_over_arguments_over_environment_over_the_host(
    service: ApptuitService, registry: MetricsRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPTUIT_TAGS", "a: environment, b: environment, c: environment")
    registry.counter(encode_metric("tagged", {"a": "metric"})).inc()
    given = {"a": "argument", "b": "argument"}
    reporter = reporter_of(service, registry, tags=given)
    reporter.report_now()
    assert tags_of(service, "tagged_count") == {
        "a": "metric",
        "b": "argument",
        "c": "environment",
        "host": HOST,
    }
    assert given == {"a": "argument", "b": "argument"}
    assert reporter.tags == {"a": "argument", "b": "argument", "c": "environment", "host": HOST}


@pytest.mark.parametrize("host", ["mine", None])
def test_a_host_tag_of_the_callers_is_kept(
    service: ApptuitService, registry: MetricsRegistry, host: str | None
) -> None:
    reporter_of(service, registry, tags={"host": host}).report_now()
    assert tags_of(service) == {"host": host or HOST}


@pytest.mark.parametrize(
    ("argument", "variable", "has_host"),
    [
        (None, None, True),
        (None, "", True),
        (None, "no", True),
        (None, "True", False),
        (True, "no", False),
        (False, "yes", True),
    ],
)
def test_the_host_tag_is_left_out_when_told(
    service: ApptuitService,
    registry: MetricsRegistry,
    monkeypatch: pytest.MonkeyPatch,
    argument: bool | None,
    variable: str | None,
    has_host: bool,
) -> None:
    if variable is not None:
        monkeypatch.setenv("APPTUIT_DISABLE_HOST_TAG", variable)
    reporter_of(service, registry, tags={"a": 1}, disable_host_tag=argument).report_now()
    assert ("host" in tags_of(service)) is has_host


def test_a_word_that_is_neither_true_nor_false_is_a_value_error(
    service: ApptuitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPTUIT_DISABLE_HOST_TAG", "perhaps")
    with pytest.raises(ValueError, match="APPTUIT_DISABLE_HOST_TAG"):
        reporter_of(service)


def test_without_any_tags_only_metrics_with_their_own_are_sent(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    registry.counter('tagged{"a": 1}').inc()
    reporter = reporter_of(service, registry, disable_host_tag=True, error_handler=None)
    assert reporter.tags is None
    with pytest.raises(ApptuitSendException) as caught:
        reporter.report_now()
    assert own(service) == {"tagged_count": 1}
    assert any("no tags" in str(error) for error in caught.value.errors)


@pytest.mark.parametrize(("prefix", "name"), [("pre.", "pre_orders_count"), (None, "orders_count")])
def test_the_prefix_stands_before_every_name(
    service: ApptuitService, registry: MetricsRegistry, prefix: str | None, name: str
) -> None:
    reporter = reporter_of(service, registry, prefix=prefix)
    reporter.report_now()
    assert name in service.values()
    assert f"{prefix or ''}{META}_total_count".replace(".", "_") in service.values()
    assert reporter.prefix == (prefix or "")


def test_another_registry_and_time_may_be_reported(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    other = MetricsRegistry()
    other.counter("other").inc()
    reporter_of(service, registry).report_now(other, 1234.6)
    assert own(service) == {"other_count": 1}
    assert {r["timestamp"] for r in service.rows() if r["metric"] == "other_count"} == {1235}


def test_all_points_of_a_report_have_the_same_time_in_whole_seconds(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    registry.meter("m").mark()
    before = round(time.time())
    reporter_of(service, registry).report_now()
    (at_s,) = {row["timestamp"] for row in json.loads(service.received[0].body)}
    assert isinstance(at_s, int)
    assert before <= at_s <= round(time.time())


def test_the_attributes_are_those_of_the_older_reporter(service: ApptuitService) -> None:
    reporter = reporter_of(service, reporting_interval=7, retry_count=2, tags={"a": 1})
    assert isinstance(reporter, Reporter)
    assert reporter.registry is global_registry()
    assert (reporter.endpoint, reporter.token) == (service.url, "TOKEN")
    assert (reporter.retry_count, reporter.reporting_interval) == (2, 7)
    assert reporter.error_handler is default_error_handler
    assert reporter.client.token == "TOKEN"
    assert (reporter.process_metrics, reporter.clock) == (None, time)
    assert reporter_of(service, retry=4).retry_count == 4


def test_a_missing_token_is_told_when_the_reporter_is_made() -> None:
    with pytest.raises(ApptuitException, match="APPTUIT_API_TOKEN"):
        ApptuitReporter(MetricsRegistry())


# --- values -------------------------------------------------------------------------------------


def test_every_kind_of_metric_has_these_values(service: ApptuitService) -> None:
    registry = MetricsRegistry()
    registry.counter("counter").inc(2)
    registry.gauge("gauge").set_value(2.5)
    registry.gauge("callback", CallbackGauge(lambda: 7))
    registry.meter("meter").mark()
    registry.histogram("histogram").add(5)
    with registry.timer("timer").time():
        pass
    reporter_of(service, registry, sanitize_mode="apptuit").report_now()
    values = {k: v for k, v in service.values().items() if not k.startswith("apptuit.")}
    assert set(values) == {
        "counter.count",
        "gauge.value",
        "callback.value",
        *(f"meter.{suffix}" for suffix in ("count", *RATES)),
        *(f"histogram.{suffix}" for suffix in HISTOGRAM),
        *(f"timer.{suffix}" for suffix in (*HISTOGRAM, "sum", "50_percentile", *RATES)),
    }
    assert (values["counter.count"], values["gauge.value"], values["callback.value"]) == (2, 2.5, 7)
    assert values["histogram.avg"] == values["histogram.999_percentile"] == 5


def test_of_a_key_of_two_kinds_equal_values_are_the_later_kinds(service: ApptuitService) -> None:
    registry = MetricsRegistry()
    registry.counter("same").inc(9)
    registry.meter("same").mark()
    reporter_of(service, registry).report_now()
    assert own(service)["same_count"] == 1


def test_an_empty_histogram_has_no_extremes(service: ApptuitService) -> None:
    registry = MetricsRegistry()
    registry.histogram("histogram")
    registry.timer("timer")
    reporter_of(service, registry).report_now()
    assert set(own(service)) == {
        "histogram_count",
        "timer_count",
        *(f"timer_{suffix}" for suffix in RATES),
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "text"])
def test_a_gauge_that_is_no_number_costs_only_itself(
    service: ApptuitService, registry: MetricsRegistry, value: Any
) -> None:
    registry.gauge("bad", CallbackGauge(lambda: value))
    reporter = reporter_of(service, registry)
    reporter.report_now()
    assert own(service) == {"orders_count": 3}
    assert reporter.skipped == 1


@pytest.mark.expects_caught
def test_a_gauge_that_fails_costs_only_itself_and_is_told(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    told: list[Any] = []
    registry.gauge("bad", CallbackGauge(lambda: 1 / 0))
    reporter = reporter_of(service, registry, error_handler=lambda *args: told.append(args))
    with pytest.raises(ApptuitSendException, match="ZeroDivisionError"):
        reporter.report_now()
    assert own(service) == {"orders_count": 3}
    ((status, successful, failed, errors),) = told
    assert (status, successful, failed) == (None, 0, 1)
    assert errors == [{"datapoint": {"metric": "bad"}, "error": "ZeroDivisionError"}]


def test_a_name_that_cannot_be_decoded_costs_only_itself(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    registry.counter("bad{").inc()
    with pytest.raises(ApptuitSendException, match="1 points failed"):
        reporter_of(service, registry, error_handler=None).report_now()
    assert own(service) == {"orders_count": 3}


def test_tags_of_a_tagged_registry_are_sent(service: ApptuitService) -> None:
    registry = TaggedRegistry()
    registry.counter("orders", {"shop": "north"}).inc()
    reporter_of(service, registry).report_now()
    assert tags_of(service) == {"shop": "north", "host": HOST}


@pytest.mark.slow
def test_metrics_may_be_made_during_a_report(service: ApptuitService) -> None:
    registry = MetricsRegistry()
    done = threading.Event()

    def make() -> None:
        for n in range(5000):
            registry.counter(f"c{n}").inc()
        done.set()

    maker = threading.Thread(target=make)
    reporter = reporter_of(service, registry)
    maker.start()
    while not done.is_set():
        reporter.report_now()
    maker.join()
    reporter.report_now()
    assert len(own(service)) == 5000


# --- failures and meta metrics ------------------------------------------------------------------


def test_by_default_a_report_really_arrives(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    reporter_of(service, registry).report_now()
    assert own(service) == {"orders_count": 3}


def meta(service: ApptuitService) -> dict[str, float]:
    names = ("total", "successful", "failed")
    return {name: service.values()[f"{META}_{name}_count"] for name in names}


def test_meta_metrics_tell_of_earlier_reports(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    reporter = reporter_of(service, registry)
    reporter.report_now()
    assert meta(service) == {"total": 0, "successful": 0, "failed": 0}
    reporter.report_now()
    assert meta(service) == {"total": 1, "successful": 1, "failed": 0}
    last = {row["metric"] for row in json.loads(service.received[-1].body)}
    assert last == META_NAMES
    assert len(last) == 18


def test_meta_metrics_are_sent_without_any_others(service: ApptuitService) -> None:
    reporter_of(service, MetricsRegistry()).report_now()
    assert meta(service) == {"total": 0, "successful": 0, "failed": 0}


def test_points_that_are_refused_are_told_counted_and_raised() -> None:
    told: list[Any] = []
    registry = MetricsRegistry()
    registry.counter("good").inc()
    registry.counter("bad").inc()
    with ApptuitService([REFUSED]) as service:
        reporter = reporter_of(service, registry, error_handler=lambda *args: told.append(args))
        with pytest.raises(ApptuitSendException) as caught:
            reporter.report_now()
        reporter.report_now()
        assert meta(service) == {"total": 2, "successful": 1, "failed": 1}
    errors = [{"datapoint": {"metric": "bad"}, "error": "no good"}]
    assert told == [(400, 1, 1, errors)]
    error = caught.value
    assert (error.status_code, error.failed, error.errors) == (None, 1, errors)


@pytest.mark.slow
def test_more_than_50_000_points_go_in_several_requests_and_are_all_counted() -> None:
    registry = MetricsRegistry()
    for n in range(50_001):
        registry.counter(f"c{n}")
    told: list[Any] = []
    with ApptuitService([Answer(500)]) as service:
        reporter = reporter_of(service, registry, error_handler=lambda *args: told.append(args[:3]))
        with pytest.raises(ApptuitSendException) as caught:
            reporter.report_now()
        assert (caught.value.success, caught.value.failed) == (1, 50_000)
        reporter.report_now()
        sizes = [len(json.loads(one.body)) for one in service.received]
        assert sizes == [1, 8, 50_000, 1, 18]
        assert meta(service) == {"total": 50_001, "successful": 1, "failed": 50_000}
    assert told == [(500, 0, 50_000)]


def test_with_nobody_there_the_handler_is_told_once(registry: MetricsRegistry) -> None:
    told: list[Any] = []
    with ApptuitService() as service:
        pass
    reporter = reporter_of(service, registry, error_handler=lambda *args: told.append(args))
    with pytest.raises(ApptuitSendException):
        reporter.report_now()
    assert told == [(None, 0, 1, [])]


def test_a_report_is_tried_again_as_often_as_asked(registry: MetricsRegistry) -> None:
    with ApptuitService([Answer(503)] * 2) as service:
        reporter_of(service, registry, retry_count=2).report_now()
        assert own(service) == {"orders_count": 3}


@pytest.mark.expects_caught
def test_a_handler_that_fails_costs_nothing() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    registry = MetricsRegistry()
    registry.counter("a").inc()
    with ApptuitService([Answer(500)]) as service:
        reporter = reporter_of(service, registry, error_handler=fail)
        with pytest.raises(ApptuitSendException):
            reporter.report_now()
        assert set(meta(service)) == {"total", "successful", "failed"}


def test_the_default_handler_writes_three_lines_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    default_error_handler(400, 3, 2, ["why"])
    assert capsys.readouterr().err == (
        "2 of 5 points could not be sent to Apptuit\nHTTP status: 400\nerrors: ['why']\n"
    )


def test_no_handler_is_silent(
    registry: MetricsRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApptuitService([Answer(500)]) as service:
        reporter = reporter_of(service, registry, error_handler=None)
        with pytest.raises(ApptuitSendException):
            reporter.report_now()
    assert capsys.readouterr().err == ""


# --- the thread ---------------------------------------------------------------------------------


def count(service: ApptuitService) -> int:
    return sum(row["metric"] == "orders_count" for row in service.rows())


def test_the_first_report_is_made_at_once_and_the_last_one_by_stop(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    reporter = reporter_of(service, registry, reporting_interval=600)
    assert reporter.start() is True
    assert reporter.start() is False
    assert service.wait_until(lambda: count(service) == 1)
    registry.counter("orders").inc()
    reporter.stop()
    assert [r["value"] for r in service.rows() if r["metric"] == "orders_count"] == [3, 4]
    assert not [one for one in threading.enumerate() if "apptuit" in one.name]


def test_a_stopped_reporter_may_start_again(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    reporter = reporter_of(service, registry, reporting_interval=600)
    for _ in range(2):
        assert reporter.start() is True
        reporter.stop()
    assert count(service) == 4


def test_stopping_what_was_not_started_sends_nothing(
    service: ApptuitService, registry: MetricsRegistry
) -> None:
    reporter = reporter_of(service, registry)
    reporter.stop()
    assert service.requests == []


@pytest.mark.slow
def test_reports_come_every_interval(service: ApptuitService, registry: MetricsRegistry) -> None:
    reporter = reporter_of(service, registry, reporting_interval=0.2)
    begun = time.monotonic()
    reporter.start()
    assert service.wait_until(lambda: count(service) >= 4)
    assert 0.55 < time.monotonic() - begun < 5
    reporter.stop()


@pytest.mark.slow
def test_the_thread_outlives_failures_and_tells_them(registry: MetricsRegistry) -> None:
    told: list[Any] = []
    with ApptuitService([Answer(401), Answer(0), Answer(500)]) as service:
        reporter = reporter_of(
            service, registry, reporting_interval=0.05, error_handler=lambda *a: told.append(a[0])
        )
        reporter.start()
        assert service.wait_until(lambda: count(service) >= 1)
        reporter.stop()
    assert told[:2] == [401, None]
    assert 500 in told


@pytest.mark.slow
def test_stop_keeps_to_its_time_though_a_retry_waits(registry: MetricsRegistry) -> None:
    with ApptuitService([Answer(503)] * 100) as service:
        reporter = reporter_of(
            service, registry, retry_count=50, first_pause_s=60, error_handler=None
        )
        reporter.start()
        assert service.wait_until(lambda: len(service.requests) == 1)
        begun = time.monotonic()
        reporter.stop()
        assert time.monotonic() - begun < 15


@pytest.mark.slow
def test_stop_keeps_to_its_time_though_no_answer_comes(registry: MetricsRegistry) -> None:
    done = threading.Event()

    def hang(_: object) -> Answer:
        done.wait(20)
        return OK

    with LoopbackReceiver(hang) as service:
        reporter = reporter_of(service, registry, error_handler=None)
        reporter.start()
        begun = time.monotonic()
        reporter.stop(timeout=0.3)
        assert time.monotonic() - begun < 15
        done.set()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forks with threads
def test_a_forked_child_reports_only_once_it_starts(registry: MetricsRegistry) -> None:
    gc.collect()
    with ApptuitService() as service:
        reporter = reporter_of(
            service, registry, reporting_interval=600, collect_process_metrics=True
        )
        reporter.start()
        assert service.wait_until(lambda: count(service) == 1)
        child = os.fork()
        if not child:
            reporter.tags = {}
            registry.counter("child").inc()
            reporter.stop()  # sends nothing
            reporter.start()
            reporter.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        workers = {row["tags"].get("worker_id") for row in service.rows()} - {None}
        assert workers == {os.getpid(), child}
        assert count(service) == 3
        of_child = [json.loads(one.body) for one in service.received if '"child_count"' in one.body]
        assert len(of_child) == 2
        # The child tells nothing of its parent's process.
        assert {r["tags"].get("worker_id") for rows in of_child for r in rows} == {None, child}
        reporter.stop()


@pytest.mark.slow
def test_the_end_of_the_interpreter_reports_once_more(service: ApptuitService) -> None:
    run(f"""
from wf_instrument.backends.apptuit import ApptuitReporter
from wf_instrument.metrics.pyformance_shim import MetricsRegistry
registry = MetricsRegistry()
reporter = ApptuitReporter(
    registry, reporting_interval=600, token="t", api_endpoint={service.url!r}
)
reporter.start()
registry.counter("orders").inc()
""")
    assert [row["value"] for row in service.rows() if row["metric"] == "orders_count"][-1] == 1
