"""Requests whose answers are read."""

from __future__ import annotations

import pytest

from loopback import Answer, LoopbackReceiver
from wf_instrument.errors import SendError
from wf_instrument.sender import HttpCaller, NotSentError


def test_an_answer_of_any_status_comes_back_whole() -> None:
    headers = (("Location", "/v1/jobs/1"), ("Retry-After", "7"))
    with LoopbackReceiver(lambda _: Answer(503, headers, body=b"later")) as receiver:
        reply = HttpCaller(receiver.url).call("POST", "/v1/x?a=b", b"{}", {"X-A": "1"}, 5)
        assert (reply.status, reply.body, reply.headers["location"]) == (
            503, b"later", "/v1/jobs/1",
        )  # fmt: skip
        assert reply.retry_after_s == 7
        (one,) = receiver.refused
        assert (one.target, one.body, one.headers["x-a"]) == ("/v1/x?a=b", "{}", "1")


def test_requests_share_a_connection() -> None:
    with LoopbackReceiver() as receiver:
        caller = HttpCaller(receiver.url)
        for _ in range(3):
            caller.call("POST", "/", b"", {}, 5)
        assert len({one.peer for one in receiver.received}) == 1


def test_nobody_there_is_told_from_no_answer() -> None:
    with LoopbackReceiver(lambda _: Answer(0)) as receiver:
        caller = HttpCaller(receiver.url)
        with pytest.raises(SendError) as no_answer:
            caller.call("POST", "/", b"", {}, 5)
    caller.close()
    with pytest.raises(NotSentError):
        caller.call("POST", "/", b"", {}, 5)
    assert not isinstance(no_answer.value, NotSentError)
