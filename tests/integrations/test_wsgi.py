"""What only a bare WSGI application can show of its `TelemetryMiddleware`."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import pytest
from wf_instrument.integrations.wsgi import TelemetryMiddleware

import wf_instrument
from wf_instrument.testing import RecordingReporter
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def empty(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("204 No Content", [])
    return []


class WorksWhenAsked:
    """A body that does its work in `__iter__`, as Django's asynchronous streams do."""

    def __init__(self, work: Callable[[], list[bytes]]) -> None:
        self._work = work

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._work())


def call(app: Any, path: str = "/") -> list[bytes]:
    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    return list(app(environ, lambda *_: None))


def test_a_second_application_is_flushed_like_the_first(reporter: RecordingReporter) -> None:
    first = TelemetryMiddleware(empty, reporter=RecordingReporter())
    second = TelemetryMiddleware(empty, reporter=reporter)
    gc.collect()
    call(first)
    call(second)
    assert wf_instrument.flush(5)
    assert reporter.count() == 1


def test_the_span_is_active_in_a_body_that_works_when_iterated(
    reporter: RecordingReporter,
) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> WorksWhenAsked:
        start_response("200 OK", [])
        return WorksWhenAsked(lambda: [str(current_request() is not None).encode()])

    assert call(TelemetryMiddleware(app, reporter=reporter)) == [b"True"]


def test_a_body_that_fails_when_iterated_is_an_aborted_stream(reporter: RecordingReporter) -> None:
    def fail() -> list[bytes]:
        raise OSError("disk gone")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> WorksWhenAsked:
        start_response("200 OK", [])
        return WorksWhenAsked(fail)

    with pytest.raises(OSError, match="disk gone"):
        call(TelemetryMiddleware(app, reporter=reporter))
    assert wf_instrument.flush(5)
    (row,) = reporter.requests
    assert (row.key.outcome, row.key.error_type) == ("aborted_stream", "OSError")
