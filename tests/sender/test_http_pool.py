"""The way to a receiver: whom to trust, which proxy to take, and what to say when it fails."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from loopback import CERTIFICATE, LoopbackReceiver
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.sender import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own proxies and certificates out."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith(("_CA_BUNDLE", "_CA_FILE")):
            monkeypatch.delenv(name)


@pytest.fixture
def secure() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver(tls=True) as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def post(transport: HttpTransport, timeout_s: float | None = None) -> int:
    return transport.post("/report", [b"one\n", b"two\n"], {}, timeout_s)


def failure(transport: HttpTransport, timeout_s: float | None = None) -> str:
    with pytest.raises(SendError) as caught:
        post(transport, timeout_s)
    assert caught.value.status is None
    return str(caught.value)


def test_a_certificate_nobody_trusts_is_refused_and_told(
    secure: LoopbackReceiver, capfd: pytest.CaptureFixture[str]
) -> None:
    said = failure(HttpTransport(secure.url, SECRET))
    assert "TLS failed: self" in said
    assert "signed certificate" in said
    assert SECRET not in said
    assert secure.received == []


def test_a_ca_file_makes_it_trusted(secure: LoopbackReceiver) -> None:
    assert post(HttpTransport(secure.url, SECRET, ca_file=str(CERTIFICATE))) == 200
    assert secure.received[0].headers["authorization"] == f"Bearer {SECRET}"
    assert secure.received[0].body == "one\ntwo\n"


@pytest.mark.parametrize("variable", ["WF_CA_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environment_may_name_the_ca_file(
    secure: LoopbackReceiver, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(CERTIFICATE))
    assert post(HttpTransport(secure.url)) == 200


def test_a_ca_file_that_holds_no_certificate_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in (str(tmp_path / "none.pem"), str(tmp_path / "empty.pem")):
        with pytest.raises(ConfigError, match=r"ca_file .* no certificates"):
            HttpTransport("https://host", ca_file=name)


def test_a_receiver_without_tls_is_told(receiver: LoopbackReceiver) -> None:
    said = failure(HttpTransport(receiver.url.replace("http:", "https:"), SECRET))
    assert "TLS failed" in said


def test_a_name_that_does_not_resolve_is_told() -> None:
    said = failure(HttpTransport("http://no-such-host.invalid:2878"), 20)
    assert said == (
        "no answer from http://no-such-host.invalid:2878: the host name does not resolve"
    )


def test_nobody_listening_is_told(receiver: LoopbackReceiver) -> None:
    with LoopbackReceiver() as gone:
        url = gone.url
    assert "nobody listens there" in failure(HttpTransport(url))


def test_no_answer_in_time_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "no answer in time" in failure(HttpTransport(url), 0.1)


def test_a_body_that_never_ends_holds_nobody_up() -> None:
    """A receiver that says 200 at once and then sends a byte now and then."""
    is_over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not is_over.wait(0.02):
                try:
                    connection.sendall(b".")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        began = time.monotonic()
        transport = HttpTransport(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert post(transport, 0.2) == 200
        assert time.monotonic() - began < 5
        is_over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status", "header"])
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for_beyond_the_time_out(
    begin: bytes,
) -> None:
    is_over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(begin)
            for _ in range(1000):
                is_over.wait(0.02)
                try:
                    connection.sendall(b"H")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        began = time.monotonic()
        transport = HttpTransport(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert "no answer in time" in failure(transport, 0.2)
        assert time.monotonic() - began < 15  # the server drips for twenty seconds
        is_over.set()
        thread.join()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_its_own_connection_whatever_the_environment_says_by_then(
    receiver: LoopbackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = HttpTransport(receiver.url)
    assert post(transport) == 200
    monkeypatch.setenv("http_proxy", "socks5://nowhere")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if post(transport) == 200 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len({one.peer for one in receiver.received}) == 2


def test_the_environments_proxy_is_gone_through_with_its_credentials(
    receiver: LoopbackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:{receiver.port}")
    transport = HttpTransport("http://wavefront-proxy.invalid:2878")
    assert post(transport) == 200
    (got,) = receiver.received
    assert got.target == "http://wavefront-proxy.invalid:2878/report"
    assert got.headers["proxy-authorization"].startswith("Basic ")
    assert SECRET not in repr(transport)


def test_no_proxy_is_respected(receiver: LoopbackReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert post(HttpTransport(receiver.url)) == 200
    assert receiver.received[0].target == "/report"


def test_a_proxy_that_is_down_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with LoopbackReceiver() as gone:
        port = gone.port
    monkeypatch.setenv("all_proxy", f"http://user:{SECRET}@127.0.0.1:{port}")
    said = failure(HttpTransport("http://wavefront-proxy.invalid:2878"))
    assert "the proxy failed" in said
    assert SECRET not in said


@pytest.mark.parametrize("url", [f"socks5://u:{SECRET}@127.0.0.1:1080", f"http://{SECRET}@[::1"])
def test_a_proxy_that_cannot_be_used_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("https_proxy", url)
    with pytest.raises(ConfigError, match="proxy") as caught:
        HttpTransport("https://host")
    assert SECRET not in str(caught.value)
