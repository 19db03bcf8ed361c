"""What tests of programs take hold of in the older client is there, and works."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument import compat

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeAnswer:
    """An answer as fakes of the older client give it."""

    def __init__(self, status: int = 200, body: str = "") -> None:
        self.status = status
        self.body = body

    def read(self) -> str:
        return self.body

    def getheader(self, name: str, default: object = None) -> object:
        return "application/json; charset=utf-8" if name == "Content-Type" else default


class FakeConnection:
    """Stands in for `HTTPSConnection`; keeps what it was asked."""

    made: list[FakeConnection] = []  # noqa: RUF012 - tests clear it

    def __init__(self, hostname: str, fake_n_errors: int = 0, timeout: float | None = None) -> None:
        self.hostname, self.fake_n_errors, self.timeout = hostname, fake_n_errors, timeout
        self.asked: tuple[str, str, Any, dict[str, str]] | None = None
        self.is_closed = False
        FakeConnection.made.append(self)

    def request(self, method: str, uri: str, body: Any = None, headers: Any = None) -> None:
        self.asked = (method, uri, body, headers)

    def getresponse(self) -> FakeAnswer:
        if len(FakeConnection.made) <= self.fake_n_errors:
            return FakeAnswer(503)
        return FakeAnswer(body='{"name": "a", "type": "gauge"}')

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def librato(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    compat.install()
    module = importlib.import_module("librato")
    FakeConnection.made.clear()
    monkeypatch.setattr(module, "HTTPSConnection", FakeConnection)
    yield module
    compat.uninstall()


def test_a_fake_connection_class_is_asked_in_place_of_the_network(librato: Any) -> None:
    api = librato.connect("u", "t")
    assert api.get("a", count=1).name == "a"
    (made,) = FakeConnection.made
    assert (made.hostname, made.timeout, made.is_closed) == (librato.HOSTNAME, 10, True)
    assert made.asked is not None
    assert made.asked[:3] == ("GET", "/v1/metrics/a?count=1", None)
    api.submit("a", 1)
    sent = FakeConnection.made[1].asked
    assert sent is not None
    assert json.loads(sent[2]) == {"gauges": [{"name": "a", "value": 1}], "counters": []}
    assert sent[3]["Authorization"] == "Basic dTp0"


def test_a_fake_is_told_how_often_to_fail_and_the_request_is_tried_again(librato: Any) -> None:
    api = librato.connect("u", "t")
    api.fake_n_errors = 2
    api.backoff_logic = lambda _: 0.001
    assert api.get("a").name == "a"
    assert len(FakeConnection.made) == 3


def test_over_http_the_other_class_is_replaced(
    librato: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(librato, "HTTPConnection", FakeConnection)
    librato.connect("u", "t", "host:8080", protocol="http").get("a")
    assert FakeConnection.made[0].hostname == "host:8080"


def test_the_lowest_entry_point_can_be_replaced(
    librato: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = librato.connect("u", "t")
    asked: list[tuple[Any, ...]] = []

    def mexe(path: str, method: str = "GET", query_props: Any = None, p_headers: Any = None) -> Any:
        asked.append((path, method, query_props))
        return None

    monkeypatch.setattr(api, "_mexe", mexe)
    with api.new_queue() as queue:
        queue.add("a", 1)
        queue.add("a", 1, tags={"x": "y"})
    api.submit("b", 1, tags={"x": "y"})
    assert [(path, method) for path, method, _ in asked] == [
        ("metrics", "POST"), ("measurements", "POST"), ("measurements", "POST"),
    ]  # fmt: skip
    assert FakeConnection.made == []


def test_the_user_agent_and_the_query_can_be_replaced(
    librato: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = librato.connect("u", "t")
    monkeypatch.setattr(api, "_compute_ua", lambda: "mine")
    monkeypatch.setattr(api, "_url_encode_params", lambda _: "x=y")
    api.get("a", count=1)
    asked = FakeConnection.made[0].asked
    assert asked is not None
    assert (asked[1], asked[3]["User-Agent"]) == ("/v1/metrics/a?x=y", "mine")


def test_an_answer_can_be_processed_by_itself(librato: Any) -> None:
    api = librato.connect("u", "t")
    api.backoff_logic = lambda wait: wait / 1000
    process = api._process_response  # noqa: SLF001 - a seam of the older client
    assert process(FakeAnswer(body='{"a": 1}'), 1) == ({"a": 1}, True, 1)
    assert process(FakeAnswer(503), 1) == (None, False, 0.001)
    with pytest.raises(librato.exceptions.NotFound, match=r"\[404\] gone"):
        process(FakeAnswer(404, '{"error": "gone"}'), 1)


def test_a_queue_shows_its_chunks(librato: Any) -> None:
    queue = librato.queue.Queue(librato.connect("u", "t"))
    assert queue._current_chunk() is None  # noqa: SLF001 - a seam of the older client
    queue.add("a", 1)
    queue.add_tagged("b", 1, tags={"x": "y"})
    assert queue.chunks == [{"gauges": [{"name": "a", "value": 1}], "counters": []}]
    assert queue._current_chunk(tagged=True) == queue.tagged_chunks[0]  # noqa: SLF001
    assert queue._num_measurements_in_current_chunk() == 1  # noqa: SLF001
    assert queue._num_measurements_in_queue() == 2  # noqa: SLF001


def test_the_constants_have_their_values(librato: Any) -> None:
    assert (librato.HOSTNAME, librato.BASE_PATH) == ("metrics-api.librato.com", "/v1/")
    assert (librato.DEFAULT_TIMEOUT, librato.__version__) == (10, "3.1.0")
    assert librato.log.name == "librato"
    assert librato.exceptions.CODES[404] is librato.exceptions.NotFound
