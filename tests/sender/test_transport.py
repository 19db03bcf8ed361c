"""HTTP against real receivers: what counts as an answer, and what never leaves the process."""

from __future__ import annotations

import logging
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from loopback import Answer, LoopbackReceiver
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.sender import HttpTransport
from wf_instrument.sender.transport import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret-token"


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def failure(transport: HttpTransport, timeout_s: float | None = None) -> SendError:
    with pytest.raises(SendError) as caught:
        transport.post("/report", [b"line\n"], {}, timeout_s)
    return caught.value


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("[::1]", True),
        ("127.evil.example", False), ("127.0.0.1.evil.example", False), ("10.0.0.1", False),
        ("localhost.evil.example", False), ("", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "server",
    [
        "proxy:2878", "ftp://host", "http://", "http://host:99999", "https://", "",
        f"https://{SECRET}@host", "http://[::1", "http://bad host",
    ],
)  # fmt: skip
def test_a_server_that_is_no_url_is_refused_without_showing_secrets(server: str) -> None:
    with pytest.raises(ConfigError, match="server") as caught:
        HttpTransport(server)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("token", [f"{SECRET}\n", f"{SECRET}\r\nX-Evil: 1", "t öken", " "])
def test_a_token_that_fits_no_header_is_refused_at_once_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="token") as caught:
        HttpTransport("https://host", token)
    assert token.strip() == "" or token not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_token_travels_to_loopback_and_https_alone(receiver: LoopbackReceiver) -> None:
    assert HttpTransport(receiver.url, SECRET).post("/report", [b""], {}) == 200
    assert receiver.received[0].headers["authorization"] == f"Bearer {SECRET}"
    with pytest.raises(ConfigError, match="plain http"):
        HttpTransport("http://127.evil.example", SECRET)


class CountingDown:
    """Tokens, and how much time there was for each."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def token(self, timeout_s: float | None) -> str:
        self.timeouts.append(timeout_s)
        return f"t{len(self.timeouts)}"

    def refused(self, token: str) -> None:
        """Have another one."""


def test_one_time_out_is_for_all_that_a_post_takes(receiver: LoopbackReceiver) -> None:
    receiver.answer = lambda one: Answer(
        200 if one.headers["authorization"] == "Bearer t2" else 401
    )
    tokens = CountingDown()
    assert HttpTransport(receiver.url, tokens).post("/report", [b"x"], {}, 5) == 200
    first, second = tokens.timeouts
    assert first is not None
    assert second is not None
    assert 0 < second < first <= 5


def test_the_token_is_in_no_error_and_no_log(
    receiver: LoopbackReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = lambda _: Answer(403)
    transport = HttpTransport(receiver.url, SECRET)
    error = failure(transport)
    assert error.status == 403
    assert SECRET not in f"{error!r} {transport!r} {caplog.text}"


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 20", b"\x16\x03\x01 no http\r\n\r\n", b"HTTP/1.1 abc x\r\n\r\n"]
)
def test_no_answer_or_garbage_is_a_failure_without_status(
    receiver: LoopbackReceiver, raw: bytes
) -> None:
    receiver.answer = lambda _: Answer(raw=raw)
    assert failure(HttpTransport(receiver.url)).status is None


def test_a_status_counts_even_when_the_body_after_it_breaks_off(
    receiver: LoopbackReceiver,
) -> None:
    receiver.answer = lambda _: Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    assert HttpTransport(receiver.url).post("/report", [b"line\n"], {}) == 200


def test_nobody_there_is_a_failure_without_status() -> None:
    with LoopbackReceiver() as gone:
        url = gone.url
    assert failure(HttpTransport(url)).status is None


def test_a_late_answer_is_not_waited_for_beyond_the_time_out(receiver: LoopbackReceiver) -> None:
    answer_now = threading.Event()

    def late(_: object) -> Answer:
        answer_now.wait(10)
        return Answer()

    receiver.answer = late
    began = time.monotonic()
    assert failure(HttpTransport(receiver.url), timeout_s=0.1).status is None
    assert time.monotonic() - began < 5
    answer_now.set()


@pytest.mark.parametrize(
    ("header", "expected"), [("7", 7.0), ("nonsense", None), ("-3", None), ("²", None)]
)
def test_the_seconds_of_retry_after_are_read(
    receiver: LoopbackReceiver, header: str, expected: float | None
) -> None:
    shown = header.encode().decode("latin-1")
    receiver.answer = lambda _: Answer(429, (("Retry-After", shown),))
    error = failure(HttpTransport(receiver.url))
    assert (error.status, error.retry_after_s) == (429, expected)


def test_a_date_of_retry_after_is_read_too(receiver: LoopbackReceiver) -> None:
    when = formatdate(time.time() + 60, usegmt=True)
    receiver.answer = lambda _: Answer(503, (("Retry-After", when),))
    seconds = failure(HttpTransport(receiver.url)).retry_after_s
    assert seconds is not None
    assert 50 < seconds <= 61
