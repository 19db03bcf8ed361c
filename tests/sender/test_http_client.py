"""Calls whose answer is read."""

from __future__ import annotations

import threading
import time

import pytest

from loopback import Answer, LoopbackReceiver, Received
from wf_instrument.sender import HttpClient, NoAnswerError


def test_the_answer_comes_whole_with_status_body_and_pause() -> None:
    def refuse(_: Received) -> Answer:
        return Answer(429, (("Retry-After", "7"),), body=b"later")

    with LoopbackReceiver(refuse) as receiver:
        client = HttpClient(receiver.url, "secret")
        answer = client.call("POST", "/x?y", {"A": "b"}, 5, body=b"sent")
        assert (answer.status, answer.body, answer.retry_after_s) == (429, b"later", 7.0)
        assert answer.headers["retry-after"] == "7"
        (one,) = receiver.refused
        assert (one.target, one.body) == ("/x?y", "sent")
        assert (one.headers["a"], one.headers["authorization"]) == ("b", "Bearer secret")
        client.close()


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with LoopbackReceiver(lambda _: Answer(302, (("Location", "/other"),))) as receiver:
        client = HttpClient(receiver.url, "secret")
        assert client.call("POST", "/x", {}, 5, body=b"").status == 302
        assert [one.target for one in receiver.refused] == ["/x"]
        client.close()


@pytest.mark.slow
def test_the_time_counts_for_all_of_the_answer() -> None:
    done = threading.Event()

    def wait(_: Received) -> Answer:
        done.wait(10)
        return Answer()

    with LoopbackReceiver(wait) as receiver:
        client = HttpClient(receiver.url)
        begun = time.monotonic()
        with pytest.raises(NoAnswerError, match="no answer in time") as caught:
            client.call("POST", "/x", {}, 0.3, body=b"")
        assert time.monotonic() - begun < 5
        assert not caught.value.is_tls
        done.set()
        client.close()


def test_a_certificate_nobody_trusts_is_told_apart() -> None:
    with LoopbackReceiver(tls=True) as receiver:
        client = HttpClient(receiver.url, "secret")
        with pytest.raises(NoAnswerError) as caught:
            client.call("POST", "/x", {}, 5, body=b"")
        assert caught.value.is_tls
        assert "secret" not in str(caught.value)
        client.close()


def test_nobody_listening_is_no_answer() -> None:
    with LoopbackReceiver() as receiver:
        url = receiver.url
    client = HttpClient(url)
    with pytest.raises(NoAnswerError, match="nobody listens there"):
        client.call("POST", "/x", {}, 5, body=b"")


def test_requests_share_a_connection() -> None:
    with LoopbackReceiver() as receiver:
        client = HttpClient(receiver.url)
        for _ in range(3):
            client.call("POST", "/", {}, 5, body=b"")
        assert len({one.peer for one in receiver.received}) == 1
        client.close()


def test_nobody_there_is_told_from_no_answer() -> None:
    with LoopbackReceiver(lambda _: Answer(0)) as receiver:
        client = HttpClient(receiver.url)
        with pytest.raises(NoAnswerError) as no_answer:
            client.call("POST", "/", {}, 5, body=b"")
    client.close()
    with pytest.raises(NoAnswerError) as nobody:
        client.call("POST", "/", {}, 5, body=b"")
    assert (no_answer.value.is_unsent, nobody.value.is_unsent) == (False, True)
