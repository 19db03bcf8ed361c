"""SignalFlow over server-sent events: requests, streams, and every way to lose them."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from signalfx_service import Asked, Reply, SignalFxService
from wf_instrument._version import __version__
from wf_instrument.backends.signalfx.signalflow import (
    Computation,
    SignalFlowClient,
    SignalFlowConnectionError,
    SignalFlowException,
    SSETransport,
)
from wf_instrument.backends.signalfx.signalflow import messages as m
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = (("Content-Type", "text/event-stream"),)


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def data(at_ms: int, value: float) -> bytes:
    values = [{"tsId": "T", "value": value}]
    return event("data", logicalTimestampMs=at_ms, data=values)


END = event("control-message", event="END_OF_CHANNEL", timestampMs=9)
KEEP_ALIVE = event("control-message", event="KEEP_ALIVE", timestampMs=9)


def stream(*parts: bytes, hold: threading.Event | None = None) -> Reply:
    return Reply(200, b"".join(parts), HEADERS, hold)


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService(lambda _: stream(END)) as made:
        yield made


@pytest.fixture
def client(service: SignalFxService) -> Iterator[SignalFlowClient]:
    with SignalFlowClient("TOKEN", service.url + "/", timeout=3, transport=SSETransport) as made:
        yield made


def data_of(computation: Computation) -> list[tuple[int | None, Any]]:
    return [
        (one.logical_timestamp_ms, one.data["T"])
        for one in computation.stream()
        if isinstance(one, m.DataMessage)
    ]


PERSISTENT = [("persistent", "false"), ("immediate", "true")]


@pytest.mark.parametrize(
    ("call", "path", "query", "body"),
    [
        (lambda c: c.execute("P é", 1, immediate=True), "execute", [("start", "1"), *PERSISTENT],
         "P é"),
        (lambda c: c.preflight("P", "-1h", 2), "preflight", [("start", "-1h"), ("stop", "2")], "P"),
        (lambda c: c.start("P", max_delay=3), "start", [("maxDelay", "3")], "P"),
        (lambda c: c.attach("H/1", "f", 3), "H%2F1/attach",
         [("filters", "f"), ("resolution", "3")], ""),
        (lambda c: c.keepalive("H"), "H/keepalive", [], ""),
        (lambda c: c.stop("H", "no more"), "H/stop", [("reason", "no more")], ""),
        (lambda c: c.stop("H"), "H/stop", [], ""),
    ],
)  # fmt: skip
def test_a_call_makes_exactly_this_request(
    service: SignalFxService, client: SignalFlowClient, call: Any, path: str, query: Any, body: str
) -> None:
    call(client)
    (one,) = service.asked
    assert (one.method, one.path) == ("POST", f"/v2/signalflow/{path}")
    assert (one.query, one.body.decode()) == (query, body)
    assert one.headers["x-sf-token"] == "TOKEN"
    assert one.headers["content-type"] == "text/plain"
    assert one.headers["user-agent"] == f"wf-instrument/{__version__}"


def test_a_stream_is_read_to_its_end(service: SignalFxService, client: SignalFlowClient) -> None:
    service.answer = lambda _: stream(
        b": a comment\n\n",
        event("control-message", event="JOB_START", handle="H"),
        b"event: data\r\ndata: {\"logicalTimestampMs\": 1,\r\ndata: \"data\": []}\r\n\r\n",
        KEEP_ALIVE, b"event: data\ndata: no json\n\n", b"event: newer\ndata: {}\n\n",
        data(2, 5), END,
    )  # fmt: skip
    computation = client.execute("P")
    seen = list(computation.stream())
    assert [type(one).__name__ for one in seen] == ["JobStartMessage", "DataMessage", "DataMessage"]
    assert (computation.id, computation.state) == ("H", Computation.STATE_COMPLETED)


@pytest.mark.parametrize("status", [204, 400, 401, 404, 500])
def test_another_status_raises_with_what_the_service_says(
    service: SignalFxService, client: SignalFlowClient, status: int
) -> None:
    body = {"message": "no such thing", "errorType": "TYPE"}
    service.answer = lambda _: Reply.of(body, status) if status != 204 else Reply(204, b"")
    with pytest.raises(SignalFlowException) as caught:
        client.execute("P")
    expected = f"{status} (TYPE): no such thing" if status != 204 else "Error 204"
    assert str(caught.value) == expected
    assert (caught.value.code, "TOKEN" in repr(caught.value)) == (status, False)


@pytest.mark.parametrize("headers", [(), (("Content-Type", "text/html"),)])
@pytest.mark.parametrize("body", [b"<html>", b""])
def test_a_refusal_without_json_raises_with_its_status(
    service: SignalFxService, client: SignalFlowClient, headers: Any, body: bytes
) -> None:
    service.answer = lambda _: Reply(502, body, headers)
    with pytest.raises(SignalFlowException, match="Error 502"):
        client.stop("H")


def test_an_error_in_the_stream_raises_with_its_type(
    service: SignalFxService, client: SignalFlowClient
) -> None:
    service.answer = lambda _: stream(
        event("error", error=400, errorType="ANALYTICS", message="bad program")
    )
    with pytest.raises(SignalFlowException, match=r"400 \(ANALYTICS\): bad program"):
        list(client.execute("P").stream())


@pytest.mark.slow
def test_a_stream_that_breaks_off_goes_on_where_it_was(
    service: SignalFxService, client: SignalFlowClient
) -> None:
    def answer(one: Asked) -> Reply:
        if "start" not in dict(one.query):
            return stream(data(1, 1), data(2, 2), data(3, 3))
        assert dict(one.query)["start"] in {"2", "3"}
        return stream(data(2, 2), data(3, 3), data(4, 4), END)

    service.answer = answer
    assert data_of(client.execute("P")) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert len(service.asked) == 2


@pytest.mark.slow
def test_half_an_event_is_left_out_and_comes_again(
    service: SignalFxService, client: SignalFlowClient
) -> None:
    answers = iter([stream(data(1, 1), data(2, 2), data(3, 3)[:-20]), stream(data(3, 3), END)])
    service.answer = lambda _: next(answers)
    assert data_of(client.execute("P")) == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.slow
def test_a_stream_that_stalls_is_given_up_and_begun_again(service: SignalFxService) -> None:
    stall = threading.Event()
    answers = iter([stream(data(1, 1), data(2, 2), hold=stall), stream(data(3, 3), END)])
    service.answer = lambda _: next(answers)
    transport = SSETransport("TOKEN", service.url, idle_timeout_s=0.3)
    with SignalFlowClient("TOKEN", transport=lambda *_: transport) as client:
        assert data_of(client.execute("P")) == [(1, 1), (2, 2), (3, 3)]
    stall.set()


@pytest.mark.parametrize("closer", ["computation", "client"])
def test_closing_from_another_thread_ends_a_stream_that_waits_and_hangs_up(
    service: SignalFxService, client: SignalFlowClient, closer: str
) -> None:
    hold, first = threading.Event(), threading.Event()
    service.answer = lambda _: stream(data(1, 1), data(2, 2), hold=hold)
    computation = client.execute("P")

    def read() -> None:
        for _ in computation.stream():
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(10)
    (computation if closer == "computation" else client).close()
    reader.join(10)
    assert not reader.is_alive()
    assert wait_until_no_thread("wf-instrument-signalflow-sse")
    hold.set()


def wait_until_no_thread(name: str) -> bool:
    deadline = time.monotonic() + 10
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.name == name for thread in threading.enumerate())


def test_a_proxy_is_asked_for_the_whole_url(service: SignalFxService) -> None:
    with SignalFlowClient(
        "TOKEN", "http://stream.example.com", transport=SSETransport, proxy_url=service.url
    ) as client:
        assert list(client.execute("P").stream()) == []
    (one,) = service.asked
    assert one.target.startswith("http://stream.example.com:80/v2/signalflow/execute?")


def test_nobody_there_is_a_typed_connection_error() -> None:
    with (
        SignalFlowClient("T", "http://127.0.0.1:1", transport=SSETransport) as client,
        pytest.raises(SignalFlowConnectionError),
    ):
        client.execute("P")


def test_a_service_that_does_not_answer_is_given_up_in_time(service: SignalFxService) -> None:
    is_over = threading.Event()

    def answer(_: Asked) -> Reply:
        is_over.wait(20)
        return Reply()

    service.answer = answer
    with (
        SignalFlowClient("T", service.url, timeout=0.1, transport=SSETransport) as client,
        pytest.raises(SignalFlowConnectionError),
    ):
        client.execute("P")
    is_over.set()


def test_the_transport_is_named_by_its_endpoint_and_never_shows_the_token() -> None:
    transport = SSETransport("TOKEN", "https://host/")
    assert str(transport) == "sse+https://host"
    assert "TOKEN" not in repr(transport)
    with pytest.raises(ConfigError):
        SSETransport("TOKEN", "host")
    with pytest.raises(NotImplementedError):
        transport.explain("I", {})
