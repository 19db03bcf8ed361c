"""Bodies of Django's requests and responses, and how they end."""

from __future__ import annotations

from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from django.core.wsgi import get_wsgi_application
from wf_instrument.integrations.django import instrument_app

from asgi_server import fetch
from django_serving import application, async_streams, either_kind_of_stream, listens, served, site
from django_site import hang_up
from recorded import only_row, wait_for_row

if TYPE_CHECKING:
    from wf_instrument.testing import RecordingReporter


@either_kind_of_stream
@pytest.mark.slow
@pytest.mark.parametrize("path", ["/stream", pytest.param("/stream-async", marks=async_streams)])
def test_a_streamed_response_lasts_until_its_last_byte(
    reporter: RecordingReporter, interface: str, way: str, path: str
) -> None:
    with site(reporter, interface, way) as port:
        assert len(fetch(port, path)[2]) == 5000
    row = only_row(reporter)
    assert row.response_bytes is not None
    assert row.response_bytes.sum == 5000
    assert 0.2 <= row.latency.sum < 60  # in seconds
    assert row.key.outcome == "ok"


def test_request_bodies_are_counted(reporter: RecordingReporter, interface: str) -> None:
    with site(reporter, interface) as port:
        assert fetch(port, "/upload", "POST", b"x" * 5000)[2] == b"5000"
    sizes = only_row(reporter).request_bytes
    assert sizes is not None
    assert sizes.sum == 5000


@pytest.mark.parametrize(
    ("interface", "path"),
    [
        ("wsgi", "/broken-stream"),
        pytest.param("asgi", "/broken-stream-async", marks=async_streams),
    ],
)
def test_a_stream_that_breaks_half_way_is_an_aborted_stream(
    reporter: RecordingReporter, interface: str, path: str
) -> None:
    # A server of HTTP/1.0 just closes the connection, which looks like the end.
    with site(reporter, interface) as port, suppress(HTTPException):
        fetch(port, path)
    key = only_row(reporter).key
    assert (key.route, key.status, key.outcome, key.error_type) == (
        path, 200, "aborted_stream", "OSError",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("interface", "path", "status"),
    [
        pytest.param("wsgi", "/endless-sync", 200, id="wsgi-stream"),
        pytest.param("asgi", "/endless", 200, id="asgi-stream", marks=listens),
        pytest.param("asgi", "/waiting", 499, id="asgi-before-the-answer", marks=listens),
    ],
)
def test_a_client_that_leaves_is_a_disconnect_and_no_error(
    reporter: RecordingReporter, interface: str, path: str, status: int
) -> None:
    with site(reporter, interface) as port:
        hang_up(port, path)
        wait_for_row(reporter)
    key = only_row(reporter).key
    assert (key.route, key.status, key.outcome) == (path, status, "client_disconnect")


def test_a_file_is_still_sent_by_the_servers_file_wrapper(reporter: RecordingReporter) -> None:
    app = instrument_app(get_wsgi_application(), reporter=reporter)
    environ: dict[str, Any] = {"PATH_INFO": "/file", "wsgi.file_wrapper": FileWrapper}
    setup_testing_defaults(environ)
    body = app(environ, lambda *_: None)
    assert type(body) is FileWrapper
    size = sum(map(len, body))
    body.close()
    row = only_row(reporter)
    assert row.response_bytes is not None
    assert (row.key.route, row.response_bytes.sum) == ("/file", size)


@either_kind_of_stream
@pytest.mark.slow
def test_every_answer_is_the_one_without_us(
    reporter: RecordingReporter, interface: str, way: str
) -> None:
    paths = ["/", "/nothing", "/boom", "/gone", "/denied", "/redirect", "/file", "/stream",
             "/stream-async", "/shops/oslo/item/3"]  # fmt: skip

    def answers(port: int) -> list[object]:
        found: list[object] = []
        for path in paths:
            status, headers, body = fetch(port, path)
            headers.pop("date", None)
            found.append((path, status, headers, body))
        return found

    with served(interface, application(interface)) as port:
        bare = answers(port)
    with site(reporter, interface, way) as port:
        assert answers(port) == bare
