"""Django's requests in flight and by the hundred."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.test import override_settings

import django_site
import wf_instrument
from asgi_server import fetch
from django_serving import site
from recorded import only_row
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from wf_instrument.testing import RecordingReporter


@pytest.mark.parametrize("path", ["/look", "/look-async"])
def test_a_request_in_flight_is_seen_under_its_route_and_gone_afterwards(
    reporter: RecordingReporter, interface: str, path: str
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        leave.wait(10)

    django_site.look.append(wait)
    with site(reporter, interface) as port, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetch, port, path)
        assert entered.wait(10)
        wf_instrument.flush(5)
        (row,) = reporter.snapshot.in_flight
        assert (row.route, row.method, row.count) == (path, "GET", 1)
        assert dict(reporter.snapshot.total_in_flight) == {"django": 1}
        leave.set()
        answer.result(10)
    wf_instrument.flush(5)
    (row,) = reporter.snapshot.in_flight
    assert (row.route, row.count) == (path, 0)


@pytest.mark.slow
def test_a_hundred_requests_at_a_time_are_all_counted_and_have_their_own_spans(
    reporter: RecordingReporter, interface: str
) -> None:
    def own() -> object:
        request = current_request()
        return None if request is None else request.trace_id()

    django_site.look.append(own)
    names = ("django_site.PlainSync",)
    paths = ["/look", "/look-async", "/boom-async", "/style/a/make"] * 25
    with site(reporter, interface, middleware=names) as port, ThreadPoolExecutor(20) as pool:
        bodies = [body for _, _, body in pool.map(lambda path: fetch(port, path), paths)]
    assert wf_instrument.flush(5)
    assert reporter.count() == 100
    assert reporter.count(route="/boom-async", status=500) == 25
    seen = {int(body) for path, body in zip(paths, bodies, strict=True) if "look" in path}
    assert seen <= {int(span.trace_id) for span in reporter.spans}
    assert len(seen) == 50
    assert dict(reporter.snapshot.total_in_flight) == {"django": 0}


def test_hundreds_of_unmatched_paths_make_one_series(
    reporter: RecordingReporter, interface: str
) -> None:
    with site(reporter, interface) as port, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: fetch(port, f"/scan/{number}"), range(200)))
    row = only_row(reporter)
    assert (row.key.route, row.count) == (None, 200)


@pytest.mark.parametrize(
    ("method", "recorded"), [("HEAD", "HEAD"), ("OPTIONS", "OPTIONS"), ("BREW", "_OTHER")]
)
def test_methods_are_those_we_know_or_other(
    reporter: RecordingReporter, interface: str, method: str, recorded: str
) -> None:
    with site(reporter, interface) as port:
        fetch(port, "/", method)
    assert only_row(reporter).key.method == recorded


@pytest.mark.expects_caught
def test_a_view_that_cannot_be_named_is_answered_all_the_same(
    reporter: RecordingReporter, interface: str
) -> None:
    with override_settings(ROOT_URLCONF="django_nameless"), site(reporter, interface) as port:
        assert fetch(port, "/")[2] == b"served"
