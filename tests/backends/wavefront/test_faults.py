"""Everything that can go wrong on the way: counted, told in one line, and nothing lost by it.

Each fault meets a real client on a real socket; then it is over, and all data must arrive. A marked
token travels with them, and must be found nowhere but at the receiver.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loopback import CERTIFICATE, Answer, LoopbackReceiver, Received
from wf_instrument.backends.wavefront import (
    CspApiToken,
    CspOAuthApp,
    CspTokenSource,
    WavefrontClient,
    WavefrontClientFactory,
)
from wf_instrument.errors import ConfigError, SendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "m4rked-t0ken"
ELSEWHERE = Path(sys.executable).parent


@dataclass(frozen=True)
class Fault:
    """How a receiver misbehaves, and what must be said about it.

    Attributes:
        answer: What it does.
        said: Words of the log line.
        status: The HTTP status that is counted; None when there is none.
    """

    answer: Callable[[Received], Answer]
    said: str
    status: int | None = None


def after(seconds: float, answer: Answer) -> Callable[[Received], Answer]:
    def late(_: Received) -> Answer:
        threading.Event().wait(seconds)
        return answer

    return late


FAULTS = {
    "unauthorized": Fault(lambda _: Answer(401), "token was refused", 401),
    "forbidden": Fault(lambda _: Answer(403), "token was refused", 403),
    "not found": Fault(lambda _: Answer(404), "answered 404", 404),
    "time-out": Fault(lambda _: Answer(408), "answered 408", 408),
    "too many": Fault(lambda _: Answer(429, (("Retry-After", "0"),)), "answered 429", 429),
    "broken": Fault(lambda _: Answer(500), "answered 500", 500),
    "overloaded": Fault(lambda _: Answer(503), "answered 503", 503),
    "redirect": Fault(
        lambda _: Answer(302, (("Location", "http://127.0.0.1:9/"),)), "answered 302", 302
    ),
    "silent": Fault(lambda _: Answer(0), "the connection broke"),
    "garbage": Fault(lambda _: Answer(raw=b"\x00\x01\x02 garbage\r\n\r\n"), "no HTTP"),
    "half a status": Fault(lambda _: Answer(raw=b"HTTP/1.1 2"), "the connection broke"),
    "no status": Fault(lambda _: Answer(raw=b"HTTP/1.1 OK\r\n\r\n"), "the connection broke"),
}


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def send(client: WavefrontClient, number: int = 20) -> None:
    for index in range(number):
        client.send_metric(f"m{index}", index, None, "s", {"k": "v"})


def assert_hidden(*shown: object) -> None:
    assert SECRET not in " ".join(f"{one!r} {one}" for one in shown)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_counted_told_once_and_costs_nothing(
    receiver: LoopbackReceiver, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = fault.answer
    client = WavefrontClient(receiver.url, SECRET, flush_interval_seconds=3600)
    send(client)
    assert not client.sender.flush(5)
    counts = client.sender.counts["points"]
    failures = counts.errors
    assert failures == client.get_failure_count() >= 1
    assert dict(counts.statuses) == ({fault.status: failures} if fault.status else {})
    told = [r for r in caplog.records if r.name.startswith("wf_instrument")]
    assert len(told) == 1
    assert fault.said in told[0].message
    assert told[0].levelno == logging.WARNING
    receiver.answer = lambda _: Answer()
    receiver.received.clear()  # it remembers as taken what it answered with garbage
    assert client.sender.flush(20)
    assert [line.split()[0] for line in receiver.lines()] == [f'"m{n}"' for n in range(20)]
    client.close()
    counts = client.sender.counts["points"]
    assert (counts.delivered, counts.dropped, counts.rejected) == (20, 0, 0)
    assert_hidden(client, client.sender, caplog.text, counts)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Le"),
        Answer(body=b"\xff" * 100_000),
        Answer(202, body=b"<html>garbage</html>"),
        Answer(204),
    ],
    ids=["closing mid-body", "half a head", "a large body", "another page", "no content"],
)
def test_what_was_taken_counts_as_taken_whatever_follows(
    receiver: LoopbackReceiver, answer: Answer
) -> None:
    receiver.answer = lambda _: answer
    client = WavefrontClient(receiver.url, SECRET)
    send(client)
    assert client.sender.flush(10)
    client.close()
    counts = client.sender.counts["points"]
    assert (counts.delivered, counts.errors, len(receiver.received)) == (20, 0, 1)


@pytest.mark.slow
def test_a_slow_service_delays_and_loses_nothing(receiver: LoopbackReceiver) -> None:
    receiver.answer = after(0.2, Answer())
    client = WavefrontClient(receiver.url, batch_size=5, flush_interval_seconds=0.05)
    send(client)
    assert client.sender.flush(20)
    client.close()
    assert len(receiver.lines()) == len(set(receiver.lines())) == 20


@pytest.mark.slow
def test_a_service_that_comes_back_with_its_certificate_trusted_gets_everything(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with LoopbackReceiver(tls=True) as secure:
        client = WavefrontClient(secure.url, SECRET, spool_dir=tmp_path)
        send(client)
        client.close(1)
        assert client.sender.counts["points"].dropped == 0
        assert "TLS failed" in caplog.text
        trusting = WavefrontClient(secure.url, SECRET, spool_dir=tmp_path, ca_file=str(CERTIFICATE))
        assert trusting.sender.flush(20)
        assert len(secure.lines()) == 20
        trusting.close()
    assert_hidden(caplog.text, client)


CSP_FAULTS: dict[str, Callable[[Received], Answer]] = {
    "refused": lambda _: Answer(401),
    "down": lambda _: Answer(503),
    "silent": lambda _: Answer(0),
    "nonsense": lambda _: Answer(body=f"{SECRET} nonsense".encode()),
    "echo": lambda one: Answer(body=json.dumps({"error": one.body}).encode()),
    "garbage": lambda _: Answer(raw=b"\x00garbage\r\n\r\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("answer", CSP_FAULTS.values(), ids=CSP_FAULTS)
@pytest.mark.parametrize("credentials", [CspApiToken(SECRET), CspOAuthApp("app", SECRET)])
def test_without_a_token_nothing_is_sent_and_nothing_lost(
    receiver: LoopbackReceiver,
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[Received], Answer],
    credentials: CspApiToken | CspOAuthApp,
) -> None:
    caplog.set_level(logging.DEBUG)
    good = json.dumps({"access_token": SECRET + "-2", "expires_in": 60}).encode()
    with LoopbackReceiver(answer) as console:
        client = WavefrontClient(receiver.url, CspTokenSource(credentials, console.url))
        send(client)
        assert not client.sender.flush(5)
        assert (receiver.received, receiver.refused) == ([], [])
        assert "no token from" in caplog.text or "no answer from" in caplog.text
        assert client.get_failure_count() >= 1
        console.answer = lambda _: Answer(body=good)
        assert client.sender.flush(20)
        assert len(receiver.lines()) == 20
        assert receiver.received[0].headers["authorization"] == f"Bearer {SECRET}-2"
        client.close()
    assert_hidden(caplog.text, client, credentials, client.sender.counts)


CONFIGURATIONS: dict[str, Callable[[], object]] = {
    "scheme": lambda: WavefrontClientFactory().add_client(f"ftp://{SECRET}@host"),
    "port": lambda: WavefrontClientFactory().add_client(f"https://{SECRET}@host:x"),
    "no host": lambda: WavefrontClientFactory().add_client(f"https://{SECRET}@"),
    "to a proxy": lambda: WavefrontClientFactory().add_client(f"proxy://{SECRET}@host"),
    "not a url": lambda: WavefrontClientFactory().add_client(f"https://[{SECRET}@"),
    "no token": lambda: WavefrontClientFactory().add_client("https://host"),
    "plain http": lambda: WavefrontClient("http://metrics.example", SECRET),
    "two lines": lambda: WavefrontClient("https://host", f"{SECRET}\r\nEvil: 1"),
    "user in server": lambda: WavefrontClient(f"https://{SECRET}@host"),
    "csp url": lambda: CspTokenSource(CspApiToken(SECRET), f"https://{SECRET}@host"),
    "csp half": lambda: WavefrontClientFactory().add_client("https://h", csp_app_secret=SECRET),
    "ca file": lambda: WavefrontClient("https://host", SECRET, ca_file="/none"),
    "spool": lambda: WavefrontClient("https://host", SECRET, spool_dir="/proc/none"),
    "mode": lambda: WavefrontClient("https://host", SECRET, validation="x"),  # type: ignore[arg-type]  # a mistake
    "on_full": lambda: WavefrontClient("https://host", SECRET, on_full="x"),  # type: ignore[arg-type]  # a mistake
    "queue": lambda: WavefrontClient("https://host", SECRET, max_queue_size=0),
}


@pytest.mark.parametrize("make", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_wrong_configuration_is_one_sentence_without_the_token(
    make: Callable[[], object],
) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert "\n" not in str(caught.value)
    # The traceback of the source lines above names the variable, never its value.
    assert_hidden(caught.value, *traceback.format_exception(caught.value))


def test_what_is_sent_at_once_tells_its_failure_to_the_caller(
    receiver: LoopbackReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    client = WavefrontClient(receiver.url, SECRET)
    with ExitStack() as stack:
        stack.callback(client.close)
        for answer in (Answer(401), Answer(500), Answer(0)):
            receiver.answer = lambda _, a=answer: a
            with pytest.raises(SendError) as caught:
                client.send_metric_now(['"m" 1 source="s"'])
            assert_hidden(caught.value, *traceback.format_exception(caught.value), caplog.text)


PROGRAM = """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG)
from wf_instrument.backends.wavefront import WavefrontClient
client = WavefrontClient(os.environ["RECEIVER"], os.environ["TOKEN"])
for number in range(5):
    client.send_metric("m", number, None, "s", None)
print(client, client.sender, vars(client).keys())
client.flush_now()
client.close(0.5)
"""


@pytest.mark.slow
def test_a_programs_whole_output_at_debug_level_shows_no_token(receiver: LoopbackReceiver) -> None:
    """Every logger on, those of urllib3 and http.client too."""
    receiver.answer = lambda _: Answer(401)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ELSEWHERE,
        env={**os.environ, "RECEIVER": receiver.url, "TOKEN": SECRET},
    )
    assert "token was refused" in done.stderr
    assert "5 points left undelivered" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert receiver.refused[0].headers["authorization"] == f"Bearer {SECRET}"
