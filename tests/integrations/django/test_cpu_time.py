"""CPU time of Django's requests, in whichever threads and tasks their parts run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import wf_instrument
from asgi_server import fetch
from django_serving import async_streams, either_kind_of_stream, site
from django_site import spent
from recorded import only_row

if TYPE_CHECKING:
    from wf_instrument.testing import RecordingReporter


@pytest.mark.slow
@pytest.mark.parametrize("spans", [True, False], ids=["spans", "no-spans"])
@pytest.mark.parametrize("path", ["/busy", "/busy-async", "/busy-threads"])
@pytest.mark.parametrize("middleware", [(), ("BusySync",), ("BusyAsync",)], ids=str)
def test_cpu_time_is_that_of_view_and_middleware_wherever_they_run(
    reporter: RecordingReporter, interface: str, middleware: tuple[str], path: str, spans: bool
) -> None:
    names = tuple(f"django_site.{name}" for name in middleware)
    with site(reporter, interface, middleware=names, spans=spans) as port:
        fetch(port, "/")  # what is made once is not looked at
        spent.clear()
        fetch(port, path)
    assert wf_instrument.flush(5)
    (row,) = [row for row in reporter.requests if row.key.route == path]
    assert row.cpu is not None
    assert len(spent) >= 1
    assert sum(spent) <= row.cpu.sum <= sum(spent) * 1.1 + 0.02


@either_kind_of_stream
@async_streams
@pytest.mark.slow
def test_cpu_time_of_a_stream_is_the_requests(reporter: RecordingReporter, interface: str) -> None:
    with site(reporter, interface) as port:
        fetch(port, "/stream-async")
    cpu = only_row(reporter).cpu
    assert cpu is not None
    assert sum(spent) <= cpu.sum <= sum(spent) * 1.2 + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/busy", "/busy-async"])
def test_a_request_that_waits_is_not_charged_for_others(
    reporter: RecordingReporter, path: str
) -> None:
    with site(reporter, "asgi") as port, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(port, path), range(4)))
    row = only_row(reporter)
    assert row.count == 4
    assert row.cpu is not None
    assert sum(spent) <= row.cpu.sum <= sum(spent) * 1.1 + 0.02
