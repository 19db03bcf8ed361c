"""The deprecated clients: raw lines over TCP to a proxy that comes and goes, and direct."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
import warnings
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from loopback import LoopbackReceiver
from tcp_loopback import LineReceiver
from wf_instrument.backends.wavefront import (
    WavefrontClient,
    WavefrontDirectClient,
    WavefrontMultiClient,
    WavefrontProxyClient,
    WavefrontSpanReporter,
)
from wf_instrument.backends.wavefront.raw_connection import ProxyConnectionHandler
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.identity import ApplicationTags
from wf_instrument.tracing import WavefrontTracer
from wf_instrument.tracing.span_data import SpanLog

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = UUID("7b3bf470-9456-11e8-9eb6-529269fb1459")


@pytest.fixture
def receiver() -> Iterator[LineReceiver]:
    with LineReceiver() as made:
        yield made


@pytest.fixture
def handler(receiver: LineReceiver) -> Iterator[ProxyConnectionHandler]:
    made = ProxyConnectionHandler("127.0.0.1", receiver.port, None, timeout=5)
    yield made
    made.close()


def make_client(
    metrics: int | None = None,
    histograms: int | None = None,
    tracing: int | None = None,
    events: int | None = None,
    **arguments: object,
) -> WavefrontProxyClient:
    arguments.setdefault("enable_internal_metrics", False)
    with pytest.warns(DeprecationWarning, match=r"proxy://HOST:PORT") as warned:
        client = WavefrontProxyClient(
            "127.0.0.1", metrics, histograms, tracing, events, **arguments
        )
    assert warned[0].filename == __file__
    return client


def test_each_kind_goes_to_its_own_port() -> None:
    with LineReceiver() as a, LineReceiver() as b, LineReceiver() as c, LineReceiver() as d:
        client = make_client(a.port, b.port, c.port, d.port)
        client.send_metric("m", 1, 5, "s", {"k": "v"})
        client.send_delta_counter("d", 2, "s", None)
        client.send_delta_counter("d", 0, "s", None)
        client.send_formatted_metric('"f" 1.0 source="s"')
        client.send_distribution("h", [(30, 20), (5.1, 10)], {"!M"}, 5, "s", None)
        logs = [SpanLog(7, (("k", "v"),))]
        client.send_span("t", 1, 2, "s", ID, ID, None, None, [("a", "b")], logs)
        client.send_event("e", 1, 2, "s", ["t"], {"k": "v"})
        client.flush_now()
        assert a.wait_for_lines(3) == [
            '"m" 1.0 5 source="s" "k"="v"\n',
            '"∆d" 2.0 source="s"\n',
            '"f" 1.0 source="s"\n',
        ]
        assert b.wait_for_lines(1) == ['!M 5 #20 30.0 #10 5.1 "h" source="s"\n']
        span, log = sorted(c.wait_for_lines(2))
        assert span == (f'"t" source="s" traceId={ID} spanId={ID} "a"="b" "_spanLogs"="true" 1 2\n')
        assert log.startswith(f'{{"traceId": "{ID}"')
        assert d.wait_for_lines(1) == ['@Event 1 2 "e" k="v" host="s" tag="t"\n']
        assert client.get_failure_count() == 0
        client.close()
        client.close()


def test_ready_lines_are_sent_at_once_each_ended_once(receiver: LineReceiver) -> None:
    client = make_client(receiver.port, receiver.port, receiver.port, receiver.port)
    client.send_metric_now(["a 1", "b 1\n", "", "\n"])
    assert receiver.wait_for_lines(2) == ["a 1\n", "b 1\n"]
    client.send_distribution_now(["h\n"])
    client.send_span_now(["s\n"])
    client.send_span_log_now(["l\n"])
    client.send_event_now(["e\n"])
    assert set(receiver.wait_for_lines(6)[2:]) == {"h\n", "s\n", "l\n", "e\n"}
    client.close()


def test_a_kind_without_a_port_is_told_when_it_is_sent(receiver: LineReceiver) -> None:
    client = make_client(receiver.port)
    with pytest.raises(ConfigError, match=r"events need a port.*event_port=None"):
        client.send_event("e", 1, 2, None, None, None)
    with pytest.raises(ConfigError, match=r"spans need a port.*tracing_port=None"):
        client.send_span_now(["s"])
    client.send_metric("m", 1, None, None, None)
    assert len(receiver.wait_for_lines(1)) == 1
    client.close()


def test_bad_input_is_refused(receiver: LineReceiver) -> None:
    client = make_client(receiver.port, receiver.port, receiver.port, receiver.port)
    with pytest.raises(ValueError, match="blank"):
        client.send_metric(" ", 1, None, None, None)
    with pytest.raises(ValueError, match="finite"):
        client.send_delta_counter("d", float("nan"), None, None)
    with pytest.raises(ValueError, match="one line"):
        client.send_formatted_metric("a\nb")
    with pytest.raises(ValueError, match="blank"):
        client.send_delta_counter("", 1, None, None)
    assert receiver.lines == []
    client.close()


def until_sent(client: WavefrontProxyClient) -> int:
    """Send until the pause after a failure is over; return the failures until then."""
    pause = threading.Event()
    while True:
        failures = client.get_failure_count()
        client.send_metric("m", 1, 5, "s", None)
        if client.get_failure_count() == failures:
            return failures
        pause.wait(0.01)


def test_after_a_connection_failed_lines_are_refused_without_trying_each_time() -> None:
    with LineReceiver() as receiver:
        port = receiver.port
    handler = ProxyConnectionHandler("127.0.0.1", port, None)
    with pytest.raises(SendError, match="refused"):
        handler.send_data("a\n")
    with pytest.raises(SendError, match=r"no new try for another 0\.\d s"):
        handler.send_data("b\n")
    with LineReceiver(port) as receiver:
        handler.connect()  # who asks for it need not wait
        handler.send_data("c\n")
        assert receiver.wait_for_lines(1) == ["c\n"]
        handler.close()


@pytest.mark.slow
def test_a_proxy_that_swallows_connections_takes_a_fifth_of_the_callers_time() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        handler = ProxyConnectionHandler(*address, None, timeout=0.2)
        pause, waited_s, began = threading.Event(), 0.0, time.monotonic()
        while time.monotonic() - began < 3:
            tried = time.monotonic()
            with pytest.raises(SendError):
                handler.send_data("a\n")
            waited_s += time.monotonic() - tried
            pause.wait(0.01)
        took_s = time.monotonic() - began
        for filler in fillers:
            filler.close()
    assert waited_s < took_s / 2  # what one try too many takes, on a machine that stands still


def test_a_proxy_that_is_away_fails_no_application_and_every_datum_counts() -> None:
    with LineReceiver() as receiver:
        port = receiver.port
    client = make_client(port)
    client.send_metric("lost", 1, 5, "s", None)
    with pytest.raises(SendError, match=f"connect to the proxy at 127.0.0.1:{port}"):
        client.send_metric_now(["lost"])
    assert client.get_failure_count() == 2
    with LineReceiver(port) as receiver:
        failures = until_sent(client)
        assert receiver.wait_for_lines(1) == ['"m" 1.0 5 source="s"\n']
        assert client.get_failure_count() == failures
        client.close()
        client.send_metric("after", 1, 5, "s", None)
        with pytest.raises(SendError, match="closed"):
            client.send_metric_now(["after"])


@pytest.mark.parametrize("how", ["hang_up", "half_close", "reset"])
def test_a_line_after_the_proxy_hung_up_goes_over_a_new_connection(
    how: str, receiver: LineReceiver, handler: ProxyConnectionHandler
) -> None:
    handler.send_data("one\n")
    receiver.wait_for_lines(1)
    getattr(receiver, how)()
    handler.send_data("two\n")
    assert receiver.wait_for_lines(2) == ["one\n", "two\n"]
    handler.send_data("three\n")
    assert receiver.wait_for_lines(3)[2] == "three\n"
    assert receiver.connection_count == 2
    assert handler.get_failure_count() == 0


def test_without_reconnecting_a_hang_up_is_a_failure(
    receiver: LineReceiver, handler: ProxyConnectionHandler
) -> None:
    handler.connect()
    handler.connect()
    assert receiver.wait_until(lambda: receiver.connection_count == 1)
    receiver.half_close()
    with pytest.raises(SendError, match="hung up"):
        handler.send_data("one\n", reconnect=False)
    assert (handler.get_failure_count(), handler.is_connected) == (1, False)
    handler.send_data("two\n", reconnect=False)
    assert receiver.wait_for_lines(1) == ["two\n"]


def test_a_proxy_that_stops_reading_costs_no_more_than_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        handler = ProxyConnectionHandler("127.0.0.1", deaf.getsockname()[1], None, timeout=0.05)
        with pytest.raises(SendError, match="timed out"):
            handler.send_data("x" * 30_000_000 + "\n")
        assert handler.get_failure_count() == 1
        assert not handler.is_connected


def test_lines_of_several_threads_do_not_mix(
    receiver: LineReceiver, handler: ProxyConnectionHandler
) -> None:
    def send(letter: str) -> None:
        for _ in range(50):
            handler.send_data(letter * 3000 + "\n")

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = receiver.wait_for_lines(200)
    assert sorted(lines) == sorted([letter * 3000 + "\n" for letter in "abcd"] * 50)
    assert receiver.connection_count == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(
    receiver: LineReceiver, handler: ProxyConnectionHandler
) -> None:
    handler.send_data("parent\n")
    receiver.wait_for_lines(1)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            handler.send_data("child\n")
            code = handler.get_failure_count()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    handler.send_data("parent again\n")
    receiver.wait_for_lines(3)
    assert sorted(receiver.texts) == ["child\n", "parent\nparent again\n"]


def test_the_client_reports_on_itself_but_not_on_its_reports(receiver: LineReceiver) -> None:
    client = make_client(receiver.port, enable_internal_metrics=True)
    client.send_metric("m", 1, 5, "s", None)
    with pytest.raises(ValueError, match="blank"):
        client.send_metric("", 1, 5, "s", None)
    client.close()
    own = {
        line.split()[0].strip('"'): line for line in receiver.wait_for_lines(5) if "~sdk" in line
    }
    prefix = "∆~sdk.python.core.sender.proxy."
    assert sorted(own) == [
        prefix + name
        for name in (
            "points.connect.success.count", "points.invalid.count", "points.valid.count",
            "points.write.success.count",
        )
    ]  # fmt: skip
    valid = own[prefix + "points.valid.count"]
    assert valid.split()[1] == "1.0"
    assert '"authType"="proxy"' in valid
    assert '"version"="v' in valid


def test_a_multi_client_takes_a_proxy_client_too(receiver: LineReceiver) -> None:
    with LoopbackReceiver() as http:
        multi = WavefrontMultiClient().with_wavefront_sender(make_client(receiver.port))
        multi.with_wavefront_sender(WavefrontClient(http.url))
        multi.send_metric("m", 1, 5, "s", None)
        multi.close()
        assert receiver.wait_for_lines(1) == http.lines() == ['"m" 1.0 5 source="s"\n']


def test_the_direct_client_warns_and_is_a_client_with_a_token() -> None:
    with LoopbackReceiver() as receiver:
        with pytest.warns(DeprecationWarning, match="https://TOKEN@HOST") as warned:
            client = WavefrontDirectClient(receiver.url, "tok", 10, 5, 3600, False, queue.Queue)
        assert warned[0].filename == __file__
        assert isinstance(client, WavefrontClient)
        client.send_metric("m", 1, 5, "s", None)
        client.close()
        assert receiver.lines("f=wavefront") == ['"m" 1.0 5 source="s"\n']
        assert receiver.received[0].headers["authorization"] == "Bearer tok"


def test_only_the_deprecated_clients_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WavefrontClient("http://127.0.0.1:1").close(0)


@pytest.mark.parametrize("is_multi", [False, True])
def test_closing_it_first_sends_the_spans_that_a_reporter_keeps(
    receiver: LineReceiver, is_multi: bool
) -> None:
    with LineReceiver() as spans:
        client: WavefrontProxyClient | WavefrontMultiClient = make_client(
            receiver.port, receiver.port, spans.port
        )
        if is_multi:
            client = WavefrontMultiClient().with_wavefront_sender(client)
        reporter = WavefrontSpanReporter(client, source="host-1")
        tracer = WavefrontTracer(reporter, ApplicationTags("a", "b"))
        tracer.start_span("kept").finish()
        client.close()
        (line,) = spans.wait_for_lines(1)
        assert line.startswith('"kept" source="host-1"')
        tracer.close()
