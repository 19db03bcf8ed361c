"""Requests of Django's test clients, which only the middleware sees."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.test import AsyncClient, Client, RequestFactory, override_settings
from wf_instrument.integrations.django.middleware import TelemetryMiddleware

import django_site
import wf_instrument
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.testing import RecordingReporter

from django_serving import OURS, async_streams
from recorded import only_row


@contextmanager
def by_middleware(reporter: RecordingReporter, **settings: object) -> Iterator[None]:
    options = {"reporter": reporter, **settings}
    with override_settings(MIDDLEWARE=[OURS], WF_INSTRUMENT=options):
        yield


@pytest.mark.parametrize("path", ["/shops/oslo/item/3", "/look-async"])
def test_requests_of_the_test_client_are_recorded_by_the_middleware(
    reporter: RecordingReporter, path: str
) -> None:
    django_site.look.append(lambda: current_request() is not None)
    with by_middleware(reporter):
        assert Client().get(path).content in {b"item", b"True"}
    row = only_row(reporter)
    assert row.key.route is not None
    assert (row.key.status, row.count) == (200, 1)
    (span,) = reporter.spans
    assert dict(span.tags)["http.url"] == f"http://testserver{path}"


def test_requests_of_the_asynchronous_test_client_are_recorded_too(
    reporter: RecordingReporter,
) -> None:
    with by_middleware(reporter):
        asyncio.run(AsyncClient().get("/busy-async"))
    assert only_row(reporter).key.route == "/busy-async"


def test_clients_share_one_telemetry(reporter: RecordingReporter) -> None:
    with by_middleware(reporter):
        for _ in range(3):
            Client().get("/")
    assert only_row(reporter).count == 3


def test_an_exception_that_the_test_client_raises_is_recorded(
    reporter: RecordingReporter,
) -> None:
    with by_middleware(reporter), pytest.raises(ValueError, match="no shirts"):
        Client().get("/boom")
    key = only_row(reporter).key
    assert (key.route, key.status, key.error_type) == ("/boom", 500, "ValueError")


@pytest.mark.slow
def test_a_stream_to_the_test_client_ends_with_its_last_part(reporter: RecordingReporter) -> None:
    with by_middleware(reporter):
        response = Client().get("/stream")
        assert wf_instrument.flush(5)
        assert not reporter.requests
        assert len(b"".join(response.streaming_content)) == 5000
    row = only_row(reporter)
    assert row.latency.sum >= 0.2
    assert row.response_bytes is not None
    assert row.response_bytes.sum == 5000


@async_streams
@pytest.mark.slow
def test_a_stream_to_the_asynchronous_test_client_too(reporter: RecordingReporter) -> None:
    async def read() -> int:
        response = await AsyncClient().get("/stream-async")
        return sum([len(part) async for part in response.streaming_content])

    with by_middleware(reporter):
        assert asyncio.run(read()) == 5000
    row = only_row(reporter)
    assert row.response_bytes is not None
    assert (row.response_bytes.sum, row.key.outcome) == (5000, "ok")
    assert row.latency.sum >= 0.2


def test_the_fixture_for_tests_of_applications_sees_the_clients_requests(
    wf_recorder: RecordingReporter,
) -> None:
    with override_settings(MIDDLEWARE=[OURS]):
        Client().get("/style/a/make")
    wf_recorder.assert_request(route="/style/<path:id>/make", status=200, count=1)


def test_a_middleware_made_by_hand_records(reporter: RecordingReporter) -> None:
    with by_middleware(reporter):
        serve = TelemetryMiddleware(django_site.home)
        assert serve(RequestFactory().get("/")).content == b"home"
    assert only_row(reporter).key.status == 200


def test_switched_off_the_middleware_is_not_used(reporter: RecordingReporter) -> None:
    with by_middleware(reporter, enabled=False), pytest.raises(MiddlewareNotUsed):
        TelemetryMiddleware(django_site.home)
