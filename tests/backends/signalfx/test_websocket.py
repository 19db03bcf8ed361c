"""SignalFlow against a real WebSocket server: requests, messages, and every way to lose them."""

from __future__ import annotations

import gc
import gzip
import json
import os
import re
import ssl
import struct
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from loopback import CERTIFICATE
from signalflow_service import (
    END,
    INFO,
    JOB_START,
    STREAM_START,
    TIME_MS,
    Data,
    Request,
    SignalFlowService,
    tsid,
)  # fmt: skip
from wf_instrument._version import __version__
from wf_instrument.backends.signalfx.signalflow import (
    Computation,
    ComputationAborted,
    ComputationFailed,
    SignalFlowClient,
    SignalFlowConnectionError,
    SignalFlowException,
    WebSocketTransport,
)
from wf_instrument.backends.signalfx.signalflow import messages as m
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = "data('cpu.utilization').publish()"


@pytest.fixture
def service() -> Iterator[SignalFlowService]:
    with SignalFlowService() as made:
        yield made


@pytest.fixture
def client(service: SignalFlowService) -> Iterator[SignalFlowClient]:
    with SignalFlowClient("TOKEN", service.url, timeout=3) as made:
        yield made


def answering(*answers: Any) -> Callable[..., Iterator[Any]]:
    return lambda *_: iter(answers)


def data_of(computation: Computation) -> list[tuple[int | None, dict[str, Any]]]:
    return [
        (one.logical_timestamp_ms, one.data)
        for one in computation.stream()
        if isinstance(one, m.DataMessage)
    ]


def test_a_program_is_executed_and_its_messages_come(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    service.script = answering(
        STREAM_START, JOB_START, INFO,
        {"type": "metadata", "tsId": tsid(0), "properties": {"sf_metric": "cpu"}},
        Data(1, a=1.5), Data(2, a=2), END,
    )  # fmt: skip
    computation = client.execute(PROGRAM)
    assert data_of(computation) == [
        (TIME_MS + 1000, {tsid(0): 1.5}), (TIME_MS + 2000, {tsid(0): 2}),
    ]  # fmt: skip
    assert (computation.id, computation.resolution) == ("H", 1000)
    assert computation.get_metadata(tsid(0)) == {"sf_metric": "cpu"}
    assert computation.state == Computation.STATE_COMPLETED


def test_authentication_comes_first_without_a_token_in_the_handshake(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    service.script = answering(END)
    list(client.execute(PROGRAM).stream())
    hello, execute = service.requests
    assert hello == {
        "type": "authenticate", "token": "TOKEN", "userAgent": f"wf-instrument/{__version__}",
    }  # fmt: skip
    assert service.paths == ["/v2/signalflow/connect"]
    name = execute.pop("channel")
    assert re.fullmatch(r"channel-[A-Za-z0-9]{8}", name)
    assert execute == {
        "type": "execute", "compress": True, "program": PROGRAM, "persistent": False,
        "immediate": False,
    }  # fmt: skip


ALL = {
    "start": 1, "stop": 2, "resolution": 3, "max_delay": 4, "persistent": True, "immediate": True,
    "disable_all_metric_publishes": True, "withDerivedMetadata": True,
    "resolutionAdjustable": False, "timezone": "Europe/Zurich",
}  # fmt: skip
WIRE = {
    "start": 1, "stop": 2, "resolution": 3, "maxDelay": 4, "persistent": True, "immediate": True,
    "disableAllMetricPublishes": True, "withDerivedMetadata": True,
    "resolutionAdjustable": False, "timezone": "Europe/Zurich",
}  # fmt: skip
SOME = {"start": 1, "stop": 2, "resolution": 3, "maxDelay": 4}
#: What is called, and the request without its channel and `compress`.
REQUESTS: list[tuple[Callable[[SignalFlowClient], Any], Request]] = [
    (lambda c: c.execute("P", **ALL), {"type": "execute", "program": "P", **WIRE}),
    (lambda c: c.preflight("P", 1, 2),
     {"type": "preflight", "program": "P", "start": 1, "stop": 2}),
    (lambda c: c.preflight("P", 1, 2, 3, 4), {"type": "preflight", "program": "P", **SOME}),
    (lambda c: c.explain("I", 1, 2, 3, 4), {"type": "explain", "incidentId": "I", **SOME}),
    (lambda c: c.attach("H"), {"type": "attach", "handle": "H"}),
    (lambda c: c.attach("H", "f", 3),
     {"type": "attach", "handle": "H", "filters": "f", "resolution": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("call", "request_"), REQUESTS)
@pytest.mark.parametrize("compress", [True, False])
def test_a_request_for_a_channel_is_this_frame(
    service: SignalFlowService, call: Any, request_: Request, compress: bool
) -> None:
    with SignalFlowClient("TOKEN", service.url, compress=compress) as client:
        call(client)
        assert service.wait_until(lambda: len(service.requests) == 2)
    sent = dict(service.requests[1])
    assert len(sent.pop("channel")) == 16
    assert sent == {**request_, "compress": compress}


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        (lambda c: c.start("P"), {"type": "start", "program": "P"}),
        (lambda c: c.start("P", 1, 2, 3, 4), {"type": "start", "program": "P", **SOME}),
        (lambda c: c.keepalive("H"), {"type": "keepalive", "handle": "H"}),
        (lambda c: c.stop("H"), {"type": "stop", "handle": "H"}),
        (lambda c: c.stop("H", "why"), {"type": "stop", "handle": "H", "reason": "why"}),
    ],
)
def test_a_request_without_a_channel_is_this_frame(
    service: SignalFlowService, client: SignalFlowClient, call: Any, request_: Request
) -> None:
    assert call(client) is None
    assert service.wait_until(lambda: len(service.requests) == 2)
    assert service.requests[1] == request_


def test_closing_a_computation_detaches_it_once(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    service.script = answering(Data(1, a=1))
    computation = client.execute(PROGRAM)
    computation.close()
    computation.close()
    client.keepalive("H")
    assert service.wait_until(lambda: service.of_type("keepalive") != [])
    (execute,) = service.of_type("execute")
    assert service.of_type("detach") == [{"type": "detach", "channel": execute["channel"]}]


def test_many_computations_share_one_connection(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    def script(_: Any, request: Request) -> Iterator[Any]:
        yield Data(1, a=int(request["program"]))
        yield END

    service.script = script
    computations = [client.execute(str(n)) for n in range(20)]
    assert [data_of(one) for one in computations] == [
        [(TIME_MS + 1000, {tsid(0): n})] for n in range(20)
    ]
    assert len(service.paths) == 1


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_endpoint_may_be_written_with_or_without_slash_as_http_or_ws(
    service: SignalFlowService, scheme: str, slash: str
) -> None:
    service.script = answering(END)
    with SignalFlowClient("TOKEN", f"{scheme}://127.0.0.1:{service.port}{slash}") as client:
        list(client.execute(PROGRAM).stream())
    assert service.paths == ["/v2/signalflow/connect"]


@pytest.mark.parametrize("endpoint", ["", "stream.example.com", "ftp://host", "https://"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="is no URL"):
        SignalFlowClient("TOKEN", endpoint)


def test_tls_is_verified_against_an_own_ca_or_the_systems() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with SignalFlowService(answering(END), context=context) as service:
        with SignalFlowClient("TOKEN", service.url, ca_certs=str(CERTIFICATE)) as client:
            assert list(client.execute(PROGRAM).stream()) == []
        with (
            SignalFlowClient("TOKEN", service.url) as client,
            pytest.raises(SignalFlowConnectionError, match="certificate"),
        ):
            client.execute(PROGRAM)


@pytest.mark.parametrize("code", [4401, 1000, 1008])
def test_a_bad_token_raises_whatever_the_close_code(service: SignalFlowService, code: int) -> None:
    service.refuse_with = code
    with (
        SignalFlowClient("SECRET", service.url) as client,
        pytest.raises(SignalFlowException) as caught,
    ):
        client.execute(PROGRAM)
    assert (caught.value.code, caught.value.message) == (code, "bad token")
    assert "SECRET" not in repr(caught.value)


@pytest.mark.slow
def test_a_server_that_never_lets_us_in_is_given_up_in_time(service: SignalFlowService) -> None:
    service.is_silent = True
    begun = time.monotonic()
    with (
        SignalFlowClient("TOKEN", service.url, timeout=0.3) as client,
        pytest.raises(SignalFlowConnectionError, match="not let in"),
    ):
        client.execute(PROGRAM)
    assert time.monotonic() - begun < 5


def test_nobody_there_is_a_typed_connection_error() -> None:
    with (
        SignalFlowClient("TOKEN", "http://127.0.0.1:1") as client,
        pytest.raises(SignalFlowConnectionError) as caught,
    ):
        client.execute(PROGRAM)
    assert isinstance(caught.value, ConnectionError)


def test_json_comes_in_binary_frames_too(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    def script(_: Any, request: Request) -> Iterator[Any]:
        head = struct.pack(">BBBx16s", 1, 4, 3, request["channel"].encode())
        body = {"type": "metadata", "tsId": "T", "properties": {"a": 1}}
        yield head + gzip.compress(json.dumps(body).encode())
        yield END

    service.script = script
    (message,) = client.execute(PROGRAM).stream()
    assert isinstance(message, m.MetadataMessage)
    assert message.properties == {"a": 1}


def test_what_cannot_be_read_or_is_for_nobody_is_dropped_and_told(
    service: SignalFlowService, client: SignalFlowClient, caplog: pytest.LogCaptureFixture
) -> None:
    service.script = answering(
        b"", b"\x09" * 30, "no json", "[]", '{"type": "data"}',
        '{"type": "error", "message": "about everything"}',
        {"channel": "channel-of-nobody", "type": "data"}, {"type": "newer"},
        {"event": "KEEP_ALIVE", "type": "control-message"}, Data(1, a=1), END,
    )  # fmt: skip
    assert len(data_of(client.execute(PROGRAM))) == 1
    assert "cannot be read" in caplog.text
    assert "about everything" in caplog.text


@pytest.mark.parametrize("kind", ["error", None])
def test_an_error_in_a_channel_raises_with_its_type(
    service: SignalFlowService, client: SignalFlowClient, kind: str | None
) -> None:
    error = {"error": 400, "errorType": "ANALYTICS", "message": "bad program"}
    service.script = answering({**error, "type": kind} if kind else error)
    computation = client.execute("bad")
    with pytest.raises(SignalFlowException) as caught:
        list(computation.stream())
    assert str(caught.value) == "400 (ANALYTICS): bad program"
    assert computation.state == Computation.STATE_ABORTED


def test_a_list_of_errors_fails_the_computation(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    service.script = answering({"type": "error", "errors": [{"code": 7, "context": {}}]})
    with pytest.raises(ComputationFailed) as caught:
        list(client.execute(PROGRAM).stream())
    assert caught.value.errors == [{"code": 7, "context": {}}]


def test_an_aborted_channel_raises_with_the_reason(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    info = {"sf_job_abortState": "STOPPED", "sf_job_abortReason": "quota"}
    service.script = answering(
        {"type": "control-message", "event": "CHANNEL_ABORT", "timestampMs": 1, "abortInfo": info}
    )
    with pytest.raises(ComputationAborted, match="Computation stopped: quota"):
        list(client.execute(PROGRAM).stream())


@pytest.mark.slow
@pytest.mark.parametrize("how", [1000, 1001, 1011, 4000, "broken"])
def test_however_the_connection_ends_the_stream_goes_on_where_it_was(
    service: SignalFlowService, client: SignalFlowClient, how: Any
) -> None:
    def script(connection: Any, request: Request) -> Iterator[Any]:
        if "start" not in request:
            yield from (STREAM_START, JOB_START, Data(1, a=1), Data(2, a=2), Data(3, a=3))
            if how == "broken":
                service.break_off()
            else:
                yield how
            return
        assert request["start"] in {TIME_MS + 2000, TIME_MS + 3000}
        yield from (Data(2, a=2), Data(3, a=3), Data(4, a=4), END)

    service.script = script
    times = [at for at, _ in data_of(client.execute(PROGRAM))]
    assert times == [TIME_MS + n * 1000 for n in (1, 2, 3, 4)]
    assert len(service.of_type("authenticate")) == 2


@pytest.mark.slow
def test_a_service_that_restarts_is_found_again(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    def script(_: Any, request: Request) -> Iterator[Any]:
        if "start" not in request:
            yield from (Data(1, a=1), Data(2, a=2))
        else:
            yield from (Data(2, a=2), Data(3, a=3), END)

    service.script = script
    stream = client.execute(PROGRAM).stream()
    assert isinstance(next(stream), m.DataMessage)
    service.stop()
    again = threading.Timer(0.3, service.start)
    again.start()
    times = [one.logical_timestamp_ms for one in stream if isinstance(one, m.DataMessage)]
    again.join()
    assert times == [TIME_MS + 2000, TIME_MS + 3000]


@pytest.mark.slow
def test_a_connection_that_goes_silent_is_given_up(service: SignalFlowService) -> None:
    stall = threading.Event()

    def script(_: Any, request: Request) -> Iterator[Any]:
        yield Data(1, a=1)
        yield Data(2, a=2)
        if "start" not in request:
            yield stall
        else:
            yield END

    service.script = script
    transport = WebSocketTransport("TOKEN", service.url, idle_timeout_s=0.3)
    with SignalFlowClient("TOKEN", transport=lambda *_: transport) as client:
        assert len(data_of(client.execute(PROGRAM))) == 2
    stall.set()


def test_signs_of_life_keep_a_connection(service: SignalFlowService) -> None:
    pause = threading.Event()

    def script(*_: Any) -> Iterator[Any]:
        for _ in range(8):
            pause.wait(0.05)
            yield '{"event": "KEEP_ALIVE", "timestampMs": 1}'
        yield Data(1, a=1)
        yield END

    service.script = script
    transport = WebSocketTransport("TOKEN", service.url, idle_timeout_s=0.3)
    with SignalFlowClient("TOKEN", transport=lambda *_: transport) as client:
        assert len(data_of(client.execute(PROGRAM))) == 1
    assert len(service.paths) == 1


@pytest.mark.parametrize("closer", ["computation", "client"])
def test_closing_from_another_thread_ends_a_stream_that_waits(
    service: SignalFlowService, client: SignalFlowClient, closer: str
) -> None:
    service.script = answering(Data(1, a=1), Data(2, a=2))
    computation = client.execute(PROGRAM)
    got: list[m.StreamMessage] = []
    both = threading.Event()

    def read() -> None:
        for message in computation.stream():
            got.append(message)
            if len(got) == 2:
                both.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert both.wait(10)
    (computation if closer == "computation" else client).close()
    reader.join(10)
    assert not reader.is_alive()
    assert len(got) == 2


def test_after_close_the_next_request_opens_another_connection(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    service.script = answering(END)
    list(client.execute(PROGRAM).stream())
    client.close()
    client.close()
    list(client.execute(PROGRAM).stream())
    assert len(service.of_type("authenticate")) == 2


def test_a_client_keeps_no_computation_that_its_program_forgot(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    service.script = answering(END)
    computation = client.execute(PROGRAM)
    list(computation.stream())
    alive = weakref.ref(computation)
    del computation
    gc.collect()
    assert alive() is None


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(
    service: SignalFlowService, client: SignalFlowClient
) -> None:
    service.script = answering(Data(1, a=1), END)
    assert len(data_of(client.execute(PROGRAM))) == 1
    pid = os.fork()
    if pid == 0:
        os._exit(0 if len(data_of(client.execute(PROGRAM))) == 1 else 1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(data_of(client.execute(PROGRAM))) == 1
    assert len(service.of_type("authenticate")) == 2


def test_the_token_is_in_no_repr() -> None:
    assert "TOKEN" not in repr(WebSocketTransport("TOKEN", "https://host"))
