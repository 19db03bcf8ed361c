"""The WSGI driver on bare applications: what servers look at passes through unchanged."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from wf_instrument.integrations.wsgi import instrument_app as wsgi_app

import wf_instrument
from samples import IDENTITY
from wf_instrument.reporting import Pipeline
from wf_instrument.reporting.snapshot import SnapshotDraft
from wf_instrument.settings import Settings
from wf_instrument.testing import RecordingReporter
from wf_instrument.web import Recorder, WsgiTelemetry
from wf_instrument.web.recorder import LiveRequest

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Stage:
    """One application behind the driver, and what was recorded."""

    def __init__(self, app: App) -> None:
        self.pipeline = Pipeline(IDENTITY, 60)
        self.reporter = RecordingReporter()
        self.pipeline.add_reporter("test", self.reporter)
        self.recorder = Recorder(
            "wsgi", Settings(), self.pipeline, None, lambda route: (str(route), None, None)
        )
        self.driver = WsgiTelemetry(app, self.recorder, lambda environ: None)

    def call(self, **environ: Any) -> Iterable[bytes]:
        setup_testing_defaults(environ)
        return self.driver(environ, lambda status, headers, exc_info=None: lambda data: None)

    def row(self) -> Any:
        self.pipeline.flush(5)
        (row,) = self.reporter.requests
        return row


def answering(body: Any, *headers: tuple[str, str]) -> App:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", list(headers))
        return body

    return app


@pytest.mark.parametrize("body", [[b"ab", b"c"], (b"abc",)], ids=["list", "tuple"])
def test_lists_and_tuples_reach_the_server_as_they_are(body: Iterable[bytes]) -> None:
    stage = Stage(answering(body))
    assert stage.call() is body
    assert stage.row().response_bytes.sum == 3


def test_the_servers_own_file_wrapper_reaches_it_as_it_is() -> None:
    wrapped = FileWrapper(io.BytesIO(b"x" * 10))
    stage = Stage(answering(wrapped, ("Content-Length", "10")))
    assert stage.call(**{"wsgi.file_wrapper": FileWrapper}) is wrapped
    assert stage.row().response_bytes.sum == 10


def test_a_body_with_a_length_keeps_it() -> None:
    class Sized:
        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Iterator[bytes]:
            yield b"abc"

    stage = Stage(answering(Sized()))
    body = stage.call()
    assert len(body) == 1  # type: ignore[arg-type]  # it has one
    assert list(body) == [b"abc"]
    assert stage.row().count == 1


def test_close_reaches_the_application_once_and_after_the_last_byte() -> None:
    closed: list[int] = []

    class Closing:
        def __iter__(self) -> Iterator[bytes]:
            yield b"abc"

        def close(self) -> None:
            closed.append(1)

    stage = Stage(answering(Closing()))
    body = stage.call()
    assert list(body) == [b"abc"]
    assert closed == []
    body.close()  # type: ignore[attr-defined]  # as servers do
    assert closed == [1]
    assert stage.row().key.outcome == "ok"


def test_a_server_that_stops_at_the_content_length_is_no_disconnect() -> None:
    stage = Stage(answering(iter([b"abc", b""]), ("Content-Length", "3")))
    body = stage.call()
    assert next(iter(body)) == b"abc"
    body.close()  # type: ignore[attr-defined]  # as servers do
    assert stage.row().key.outcome == "ok"


def test_what_is_written_in_the_old_way_is_counted() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"12345")
        return [b"678"]

    stage = Stage(app)
    stage.call()
    assert stage.row().response_bytes.sum == 8


def test_an_exception_that_escapes_passes_unchanged_and_is_a_500() -> None:
    error = LookupError("mine")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise error

    stage = Stage(app)
    with pytest.raises(LookupError) as caught:
        stage.call()
    assert caught.value is error
    row = stage.row()
    assert (row.key.status, row.key.error_type, row.key.outcome) == (
        500, "LookupError", "server_error",
    )  # fmt: skip


def test_an_error_response_begun_anew_has_the_last_status() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        start_response("503 Busy", [], (ValueError, ValueError("x"), None))
        return [b""]

    stage = Stage(app)
    stage.call()
    assert stage.row().key.status == 503


def test_the_driver_keeps_to_the_wsgi_standard() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read(5)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]

    # The validator checks both sides of the driver: what it is given and what it hands on.
    stage = Stage(validator(app))
    stage.driver = validator(stage.driver)
    environ = {
        "wsgi.input": io.BytesIO(b"12345"), "CONTENT_LENGTH": "5", "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
    }  # fmt: skip
    body = stage.call(**environ)
    assert b"".join(body) == b"fine"
    body.close()  # type: ignore[attr-defined]  # as servers do
    row = stage.row()
    assert (row.key.method, row.request_bytes.sum) == ("POST", 5)


@pytest.mark.usefixtures("in_python")
def test_a_drain_may_meet_a_request_in_the_very_moment_it_begins_or_ends() -> None:
    stage = Stage(answering([b"abc"]))
    drains: list[SnapshotDraft] = []

    class Watched(set[LiveRequest]):
        """Drains whenever a request comes or goes, as another thread could."""

        def add(self, request: LiveRequest) -> None:
            super().add(request)
            self.drain()

        def discard(self, request: LiveRequest) -> None:
            self.drain()
            super().discard(request)
            self.drain()

        def drain(self) -> None:
            drains.append(SnapshotDraft())
            stage.recorder.drain_into(drains[-1])

    stage.recorder.live = Watched()
    stage.call()
    assert len(drains) >= 3
    assert drains[0].total_in_flight == {"wsgi": 1}
    assert drains[-1].total_in_flight == {"wsgi": 0}
    stage.recorder.drain_into(drains[-1])
    assert sum(row.count for draft in drains for row in draft.requests) == 1


def test_user_info_that_a_client_writes_into_the_host_is_not_kept() -> None:
    environ: dict[str, Any] = {"HTTP_HOST": "user:s3cret@shop.example"}
    setup_testing_defaults(environ)
    reporter = RecordingReporter()
    app = wsgi_app(answering([b"x"]), reporter=reporter)
    app(environ, lambda status, headers, exc_info=None: lambda data: None)
    wf_instrument.shutdown(5)
    (span,) = reporter.spans
    assert dict(span.tags)["http.url"] == "http://shop.example/"
