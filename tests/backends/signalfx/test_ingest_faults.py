"""A service that is down, refuses, or answers half: nothing is lost without being counted."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from signalfx_service import Asked, Reply, SignalFxService
from wf_instrument.backends.signalfx.ingest_client import ProtoBufSignalFxIngestClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wf_instrument.errors import SendError


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService() as made:
        yield made


def points(*values: Any) -> list[dict[str, Any]]:
    return [{"metric": "m", "value": value} for value in values]


def client_of(service: SignalFxService, **options: Any) -> ProtoBufSignalFxIngestClient:
    return ProtoBufSignalFxIngestClient(
        "TOKEN", service.url, **{"flush_interval_s": 0.02, **options}
    )


@pytest.mark.slow
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 401, 403])
def test_a_batch_that_is_not_taken_now_is_tried_again_and_the_failure_counted(
    service: SignalFxService, status: int
) -> None:
    answers = iter([Reply(status), Reply()])
    service.answer = lambda _: next(answers, Reply())
    with client_of(service) as client:
        client.send(gauges=points(1, 2))
        assert service.wait_until(lambda: service.values() == [1, 2])
        assert client.reset_error_counters() == {f"HTTP{status}": 1}
        assert client.reset_error_counters() == {}
    assert (client.sent, client.dropped, client.failed_requests) == (2, 0, 1)


@pytest.mark.slow
def test_the_service_says_how_long_to_wait_and_is_not_asked_before(
    service: SignalFxService,
) -> None:
    times: list[float] = []

    def answer(_: Asked) -> Reply:
        times.append(time.monotonic())
        return Reply() if len(times) > 1 else Reply(429, headers=(("Retry-After", "1"),))

    service.answer = answer
    with client_of(service) as client:
        client.send(gauges=points(1))
        assert service.wait_until(lambda: service.values() == [1])
    assert times[1] - times[0] >= 1


def test_a_refused_token_is_told_loudly_and_never_shown(
    service: SignalFxService, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = lambda _: Reply(401, b"who are you?")
    client = client_of(service)
    client.send(gauges=points(1))
    assert service.wait_until(lambda: len(service.asked) > 0)
    client.stop(timeout_s=0.3)
    warnings = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert any("who are you?" in text for text in warnings)
    assert any("token was refused" in text for text in warnings)
    assert "TOKEN" not in caplog.text
    assert client.dropped == 1


@pytest.mark.parametrize("status", [400, 413])
def test_of_a_batch_with_a_bad_point_only_that_is_dropped_and_counted(
    service: SignalFxService, status: int
) -> None:
    service.answer = lambda one: Reply(status if "bad" in [p["value"] for p in one.points] else 200)
    with client_of(service) as client:
        client.send(gauges=points(*range(20), "bad", *range(20, 40)))
    assert sorted(service.values()) == list(range(40))
    assert (client.sent, client.dropped) == (40, 1)


def test_any_other_refusal_drops_the_batch_counts_it_and_says_why(
    service: SignalFxService, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = lambda _: Reply(410, b"moved to the moon")
    with client_of(service) as client:
        client.send(gauges=points(1, 2))
    assert sum(len(one.points) for one in service.asked) == 2
    assert (client.sent, client.dropped) == (0, 2)
    assert client.reset_error_counters() == {"HTTP410": len(service.asked)}
    assert "moved to the moon" in caplog.text
    assert "2 points were dropped" in caplog.text


@pytest.mark.slow
def test_counters_that_may_have_arrived_are_not_counted_twice(service: SignalFxService) -> None:
    service.answer = lambda _: Reply(0)  # reads it all, then hangs up
    client = client_of(service)
    client.send(counters=points(2, 3))
    assert wait_for(lambda: client.dropped == 2)
    client.send(gauges=points(1))
    assert wait_for(lambda: client.failed_requests >= 2)
    service.answer = lambda _: Reply()
    assert service.wait_until(lambda: service.values() == [1])
    client.stop()
    assert service.values() == [1]
    counters = [one for one in service.asked if one.points[0]["kind"] == "counter"]
    assert len(counters) == 1
    assert (client.sent, client.dropped) == (1, 2)


@pytest.mark.slow
def test_counters_are_sent_again_when_nothing_of_them_left_or_the_service_refused(
    service: SignalFxService,
) -> None:
    answers = iter([Reply(503)])
    service.answer = lambda _: next(answers, Reply())
    service.stop()
    client = client_of(service)
    client.send(counters=points(1, 2))
    assert wait_for(lambda: client.failed_requests > 0)
    service.start()
    assert service.wait_until(lambda: service.values() == [1, 2])
    client.stop()
    assert client.dropped == 0


def wait_for(condition: Any, timeout_s: float = 10) -> bool:
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.01)
    return True


@pytest.mark.slow
def test_nothing_is_lost_over_restarts_of_the_service(service: SignalFxService) -> None:
    client = client_of(service, repeat_counters=True, batch_size=50)
    rounds, each = 5, 400
    for number in range(rounds):
        first = number * each
        for value in range(first, first + each, 10):
            client.send(
                gauges=points(*range(value, value + 5)),
                counters=points(*range(value + 5, value + 10)),
            )
            if value == first + each // 2:
                service.stop()  # in the middle of it, as when it is killed
        service.start()
    assert wait_for(lambda: client.sent == rounds * each, 60)
    client.stop()
    assert set(service.values()) == set(range(rounds * each))
    assert client.dropped == 0
    assert {one.headers["content-type"] for one in service.asked} == {"application/x-protobuf"}
    assert {one.headers["x-sf-token"] for one in service.asked} == {"TOKEN"}


@pytest.mark.slow
def test_what_cannot_leave_before_the_end_waits_in_the_spool_for_the_next_process(
    service: SignalFxService, tmp_path: Path
) -> None:
    service.stop()
    client = client_of(service, spool_dir=tmp_path)
    client.send(gauges=points(*range(700)), counters=points("c"))
    client.stop(timeout_s=1)
    assert client.dropped == 0
    service.start()
    with client_of(service, spool_dir=tmp_path) as later:
        later.send(gauges=points("new"))
        assert service.wait_until(lambda: len(service.points()) == 702)
    assert set(service.values()) == {*range(700), "c", "new"}


@pytest.mark.slow
def test_stop_keeps_to_its_time_when_the_service_does_not_answer(service: SignalFxService) -> None:
    is_over = threading.Event()

    def answer(_: Asked) -> Reply:
        is_over.wait(30)
        return Reply()

    service.answer = answer
    client = client_of(service, timeout=30)
    client.send(gauges=points(*range(2000)))
    begun = time.monotonic()
    client.stop(timeout_s=0.5)
    assert time.monotonic() - begun < 20
    assert client.sent + client.dropped == 2000
    is_over.set()


@pytest.mark.slow
def test_a_read_that_takes_too_long_is_counted_under_the_older_clients_name(
    service: SignalFxService,
) -> None:
    is_over = threading.Event()

    def answer(_: Asked) -> Reply:
        is_over.wait(20)
        return Reply()

    service.answer = answer
    client = client_of(service, timeout=0.2)
    client.send(gauges=points(1))
    assert wait_for(lambda: client.failed_requests > 0)
    is_over.set()
    assert set(client.reset_error_counters()) == {"ReadTimeout"}
    client.stop()


@pytest.mark.slow
@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 2", b"no HTTP\r\n\r\n"])
def test_half_an_answer_is_none_and_the_points_are_sent_again(
    service: SignalFxService, raw: bytes
) -> None:
    answers = iter([Reply(0, raw=raw)])
    service.answer = lambda _: next(answers, Reply())
    with client_of(service) as client:
        client.send(gauges=points(1))
        assert service.wait_until(lambda: service.values() == [1])
    assert (client.sent, client.dropped) == (1, 0)
    assert client.reset_error_counters() == {"ConnectionError": 1}


@pytest.mark.expects_caught
def test_every_failed_request_is_told_to_the_callback_whose_own_errors_cost_nothing(
    service: SignalFxService,
) -> None:
    told: list[SendError] = []

    def on_error(error: SendError) -> None:
        told.append(error)
        raise RuntimeError("the application's")

    service.answer = lambda _: Reply(404, b"nobody here")
    with client_of(service, on_error=on_error) as client:
        client.send(gauges=points(1))
    assert [(error.status, error.answer) for error in told] == [(404, "nobody here")]


def test_nobody_listening_is_counted_as_a_connection_error() -> None:
    client = ProtoBufSignalFxIngestClient("T", "http://127.0.0.1:1", flush_interval_s=0.02)
    client.send(gauges=points(1))
    assert wait_for(lambda: client.failed_requests > 0)
    client.stop(timeout_s=0.2)
    assert set(client.reset_error_counters()) == {"ConnectionError"}
    assert client.dropped == 1
