"""Every code block of the README of Apptuit's client for Python runs, and does what it says."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apptuit_service import REFUSED, ApptuitService
from compat.forced_edits import edited
from compat.readme_blocks import read_blocks
from loopback import Answer
from wf_instrument import compat

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = read_blocks(Path(__file__).parent / "data" / "apptuit_readme_blocks.md")
SERVICE = "Sending data using Apptuit pyformance reporter"
CLOSURE = "Passing extra argument using closure"
HOST = socket.gethostname()


@pytest.fixture(autouse=True)
def _compat() -> Iterator[None]:
    assert "apptuit" in compat.install()
    yield
    compat.uninstall()


@pytest.fixture
def service() -> Iterator[ApptuitService]:
    with ApptuitService() as made:
        yield made


def run(service: ApptuitService, *headings: str, **space: Any) -> dict[str, Any]:
    """Run blocks one after the other; return the program's variables."""
    blocks = edited("apptuit", BLOCKS, service.url)
    for heading in headings:
        exec(blocks[heading], space)
    return space


def test_the_readme_is_read_whole() -> None:
    assert len(BLOCKS) == 18


def test_the_readme_runs_from_the_beginning_to_the_end_as_one_program(
    service: ApptuitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the README has it in its shell block.
    tags = "tag_key1: tag_val1, tag_key2: tag_val2, tag_key3: tag_val3"
    monkeypatch.setenv("APPTUIT_TAGS", tags)
    pytest.importorskip("pandas")
    service.answer = lambda one: Answer(body=answer_to(one.target))
    space = run(service, *BLOCKS, my_apptuit_token="TOKEN", make_request=lambda: {"results": []})
    assert space["client"].token == "mytoken"
    assert space["df"].shape == (1, 1)
    (row, *_) = service.rows_of("/api/put")
    assert (row["tags"]["tag_key1"], row["tags"]["tag_key3"]) == ("tag_val1", "tag_val3")


def answer_to(target: str) -> bytes:
    if "/api/query" not in target:
        return b""
    start = int(target.partition("start=")[2].partition("&")[0])
    result = {"metric": "proc.cpu.percent", "tags": {"host": "a"}, "dps": [[start, 5.5]]}
    return json.dumps({"outputs": [{"id": "proc.cpu.percent", "result": [result]}]}).encode()


def test_a_missing_token_is_the_exception_the_readme_names() -> None:
    import apptuit

    with pytest.raises(apptuit.ApptuitException):
        apptuit.Apptuit()


def test_names_beside_the_readme_do_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from apptuit.utils import _contains_valid_chars, _get_tags_from_environment, _validate_tags

    monkeypatch.setenv("APPTUIT_TAGS", "a: 1")
    assert _get_tags_from_environment() == {"a": "1"}
    assert _contains_valid_chars("a.b")
    _validate_tags({"a.b": 1})
    with pytest.raises(ValueError, match="tag key is 'a b'"):
        _validate_tags({"a b": 1})


def test_the_order_service_reports_its_orders(service: ApptuitService) -> None:
    space = run(service, SERVICE)
    orders = space["OrderService"]("TOKEN")
    assert orders.reporter.retry_count == 2
    orders.handle_order(object())
    orders.handle_order(object())
    orders.shutdown()
    assert service.values()["order_count_count"] == 2
    row = next(row for row in service.rows() if row["metric"] == "order_count_count")
    assert row["tags"] == {"host": HOST, "env": "dev", "service": "order-service"}


def test_the_kinds_of_metrics_are_reported(service: ApptuitService) -> None:
    space = run(service, "Working with Apptuit Pyformance Reporter")
    reporter = space["reporter"]
    for heading in ("MetricsRegistry", "Meter", "Counter", "Timer", "Histogram"):
        run(service, heading, do_query=lambda request: type("R", (), {"size": lambda _: 7})())
    meter = run(service, "Meter")
    meter["handle_request"](None)
    timer = run(service, "Timer")
    assert timer["handle_request"](None) == "OK"
    histogram = run(service, "Histogram", do_query=lambda _: Sized())
    histogram["handle_request"](None)
    counter = run(service, "Counter")
    queue = type("Holder", (), {"q": Items()})()
    counter["add_job"](queue, 1)
    for space in (meter, timer, histogram, counter):
        reporter.report_now(space["registry"])
    values = service.values()
    assert values["order_requests_rate_count"] == values["response_time_count"] == 1
    assert (values["response_size_max"], values["pending_jobs_count"]) == (7, 1)
    # `collect_process_metrics=True`
    reporter.report_now()
    assert "python_cpu_time_used_seconds_count" in service.values()


class Sized:
    def size(self) -> int:
        return 7


class Items:
    def put(self, item: object) -> None:
        """Do nothing."""


@pytest.mark.expects_caught  # `Queue` has no `size`
def test_the_gauge_of_the_readme_that_fails_costs_no_others(
    service: ApptuitService, capsys: pytest.CaptureFixture[str]
) -> None:
    space = run(service, "Working with Apptuit Pyformance Reporter", "Gauge")
    registry = space["registry"]
    space["QueueManager"](registry, "jobs")
    registry.counter("others").inc()
    space["reporter"].start()
    space["reporter"].stop()
    assert service.values()["others_count"] == 1
    assert "AttributeError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("heading", "variable", "said"),
    [
        ("Reporter with default error handler", "reporter", True),
        ("Reporter with No error handler", "reporter_with_no_error_handler", False),
    ],
)
def test_the_default_error_handler_writes_and_none_is_silent(
    heading: str, variable: str, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApptuitService([REFUSED]) as service:
        space = run(
            service,
            "Working with Apptuit Pyformance Reporter",
            "Error Handling in ApptuitReporter",
            heading,
            my_apptuit_token="TOKEN",
        )
        space["registry"].counter("a")
        space[variable].start()
        space[variable].stop()
        assert len(service.refused) == 1
    assert ("HTTP status: 400" in capsys.readouterr().err) is said
    assert space["error_handler"](400, 1, 1, []) is None


def test_an_error_handler_may_be_a_partial(caplog: pytest.LogCaptureFixture) -> None:
    with ApptuitService([REFUSED]) as service:
        space = run(
            service,
            "Working with Apptuit Pyformance Reporter",
            "Passing extra argument using Partial",
            my_apptuit_token="TOKEN",
        )
        space["registry"].counter("a")
        space["registry"].counter("b")
        space["reporter"].start()
        space["reporter"].stop()
    (record,) = [one for one in caplog.records if one.name == "logger key"]
    assert record.getMessage().startswith("ApptuitReporter failed to send 1 points, due to errors:")


def test_an_error_handler_may_be_a_closure_that_makes_the_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ApptuitService([REFUSED]) as service:
        space = run(service, "MetricsRegistry", CLOSURE)
        orders = space["OrderService"]("TOKEN")
        orders.init_reporter("TOKEN", space["registry"])
        orders.reporter.start()
        orders.reporter.stop()
    records = [one for one in caplog.records if one.name == "OrderService"]
    assert [one.getMessage() for one in records] == [
        (
            "1 points failed with status: 400\n"
            "no good error occurred in the datapoint {'metric': 'bad'}\n"
        )
    ]
    assert records[0].levelno == logging.ERROR


def test_tags_are_encoded_decoded_and_sent(service: ApptuitService) -> None:
    space = run(service, "Tags/Metadata")
    assert space["metric"] == (
        'node_cpu{"host": "node-foo", "service": "order-service", "type": "idle"}'
    )
    assert (space["metric_name"], space["tags"]) == ("node.cpu", {"type": "idle"})
    quick = type("Quick", (space["OrderService"],), {"process_order": lambda *_: None})
    orders = quick("TOKEN")
    for city in ("BLR", "BLR", "MUC"):
        orders.handle_order(type("Order", (), {"city_code": city})())
    orders.shutdown()
    last = {
        row["tags"]["city_code"]: row["value"]
        for row in service.rows()
        if row["metric"] == "order_count_count"
    }
    assert last == {"BLR": 2, "MUC": 1}


def test_points_are_sent_by_the_hundred(service: ApptuitService) -> None:
    run(service, "Sending data using send() API")
    rows = service.rows()
    assert len(rows) == 100
    assert {row["metric"] for row in rows} == {
        "proc_cpu_percent",
        "node_memory_bytes",
        "network_send_bytes",
        "network_receive_bytes",
        "node_load_avg",
    }
    assert {row["tags"]["host"] for row in rows} == {HOST}


def test_series_are_sent_by_the_50_000(service: ApptuitService) -> None:
    values = [[at, 1.5] for at in range(50_003)]
    # The program goes on adding to a series it has sent, so that points beyond would be lost.
    parts = values[:50_000], values[50_000:]
    results = [{"metric": "scraped", "tags": {"a": "b"}, "values": part} for part in parts]
    run(
        service,
        "Sending data using send_timeseries() API",
        make_request=lambda: {"results": results},
    )
    assert [len(json.loads(one.body)) for one in service.received] == [50_000, 3]
    assert [row["timestamp"] for row in service.rows()] == list(range(50_003))


def test_a_query_becomes_data_frames(service: ApptuitService) -> None:
    pytest.importorskip("pandas")
    service.answer = lambda one: Answer(body=answer_to(one.target))
    space = run(service, "Querying for data")
    assert space["df"].equals(space["another_df"])
    assert space["df"].to_numpy().tolist() == [[5.5]]
    assert list(space["df"].columns) == ["proc.cpu.percent{host:a}"]
