"""Calls to other services: one client span, the context in the headers, one duration."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

import wf_instrument
from wf_instrument.errors import SendError
from wf_instrument.sender.transport import HttpTransport
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator


class Service:
    """Answers `/ok`, `/missing` and `/moved`; keeps the headers it was sent."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.headers.append({k.lower(): v for k, v in self.headers.items()})
                path = self.path.partition("?")[0]
                status = {"/ok": 200, "/moved": 302}.get(path, 404)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/ok")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def by_requests(url: str) -> int:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=5).status_code


def by_urllib3(url: str) -> int:
    with urllib3.PoolManager(retries=urllib3.Retry(3, connect=0)) as pool:
        return int(pool.request("GET", url).status)


def by_httpx(url: str) -> int:
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        return client.get(url).status_code


def by_httpx_async(url: str) -> int:
    async def get() -> int:
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as client:
            return (await client.get(url)).status_code

    return asyncio.run(get())


def by_aiohttp(url: str) -> int:
    async def get() -> int:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status

    return asyncio.run(get())


Get = Callable[[str], int]
CLIENTS = {
    "requests": by_requests,
    "urllib3": by_urllib3,
    "httpx": by_httpx,
    "httpx async": by_httpx_async,
    "aiohttp": by_aiohttp,
}
LIBRARIES = ["requests", "urllib3", "httpx", "aiohttp_client"]


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


@pytest.fixture
def installed() -> Iterator[None]:
    modules = [importlib.import_module(f"wf_instrument.integrations.{one}") for one in LIBRARIES]
    for module in modules:
        module.install()
        module.install()
    yield
    for module in modules:
        module.uninstall()
        module.uninstall()


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    # The first telemetry is what calls are recorded by, and another test may have left some.
    wf_instrument.shutdown(5)
    made = RecordingReporter()
    telemetry_for({"reporter": made})
    yield made
    wf_instrument.shutdown(5)


def spans(reporter: RecordingReporter) -> list[Any]:
    wf_instrument.flush(5)
    return list(reporter.spans)


def tags(span: Any) -> dict[str, str]:
    return {key: str(value) for key, value in span.tags}


def durations(reporter: RecordingReporter) -> list[tuple[dict[str, str], int]]:
    wf_instrument.shutdown(5)
    return [
        (dict(one.tags), one.histogram.count)
        for one in reporter.snapshot.distributions
        if one.name == "http.client.request.duration"
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("get", CLIENTS.values(), ids=CLIENTS)
def test_a_call_is_one_span_and_one_duration_and_carries_the_trace(
    get: Get, service: Service, reporter: RecordingReporter
) -> None:
    with wf_instrument.span("outer") as outer:
        assert get(f"http://user:secret@127.0.0.1:{service.port}/ok?token=secret") == 200
    call, parent = spans(reporter)
    assert parent.name == "outer"
    assert call.parents == ((parent.trace_id, parent.span_id),)
    assert call.name == "GET"
    found = tags(call)
    assert found["span.kind"] == "client"
    assert found["http.method"] == "GET"
    assert found["http.url"] == f"http://127.0.0.1:{service.port}/ok"
    assert found["http.status_code"] == "200"
    (sent,) = service.headers
    trace, span_id = f"{call.trace_id:032x}", f"{call.span_id:016x}"
    assert sent["traceparent"].split("-")[1:3] == [trace, span_id]
    assert outer is not None
    ((series, count),) = durations(reporter)
    assert count == 1
    assert series == {
        "http.request.method": "GET", "server.address": "127.0.0.1",
        "server.port": str(service.port), "http.response.status_code": "200",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("get", CLIENTS.values(), ids=CLIENTS)
def test_an_error_of_the_service_is_one_of_the_call(
    get: Get, service: Service, reporter: RecordingReporter
) -> None:
    assert get(f"http://127.0.0.1:{service.port}/missing") == 404
    (call,) = spans(reporter)
    assert (tags(call)["error"], tags(call)["http.status_code"]) == ("true", "404")
    ((series, _),) = durations(reporter)
    assert series["error.type"] == "404"


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("get", CLIENTS.values(), ids=CLIENTS)
def test_a_service_that_is_gone_raises_as_ever_and_is_recorded(
    get: Get, service: Service, reporter: RecordingReporter
) -> None:
    service.close()
    with pytest.raises(Exception, match=r"(?i)connect|refused|retries"):
        get(f"http://127.0.0.1:{service.port}/ok")
    (call,) = spans(reporter)
    assert tags(call)["error"] == "true"
    ((series, _),) = durations(reporter)
    assert "http.response.status_code" not in series
    assert series["error.type"]


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("get", CLIENTS.values(), ids=CLIENTS)
def test_redirects_are_followed_within_the_same_trace(
    get: Get, service: Service, reporter: RecordingReporter
) -> None:
    with wf_instrument.span("outer"):
        assert get(f"http://127.0.0.1:{service.port}/moved") == 200
    traces = {headers["traceparent"].split("-")[1] for headers in service.headers}
    assert traces == {f"{span.trace_id:032x}" for span in spans(reporter)}
    assert len(traces) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("get", CLIENTS.values(), ids=CLIENTS)
def test_baggage_stays_here_unless_the_host_is_named(get: Get, service: Service) -> None:
    for hosts, expected in (((), False), (("127.0.0.*",), True)):
        telemetry_for({"reporter": RecordingReporter(), "baggage_hosts": hosts})
        with wf_instrument.span("outer") as outer:
            outer.set_baggage_item("customer", "7")
            get(f"http://127.0.0.1:{service.port}/ok")
        wf_instrument.shutdown(5)
        sent = service.headers[-1]
        assert "traceparent" in sent
        assert ("7" in str({k: v for k, v in sent.items() if "baggage" in k})) is expected


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_no_trace_goes_to_hosts_that_are_not_named(service: Service) -> None:
    telemetry_for({"reporter": RecordingReporter(), "propagate_hosts": ["*.example.org"]})
    assert by_requests(f"http://127.0.0.1:{service.port}/ok") == 200
    assert "traceparent" not in service.headers[0]
    wf_instrument.shutdown(5)


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_what_we_send_ourselves_is_not_recorded(service: Service) -> None:
    reporter = RecordingReporter()
    telemetry_for({"reporter": reporter})
    transport = HttpTransport(f"http://127.0.0.1:{service.port}")
    with pytest.raises(SendError, match="501"):
        transport.post("/ok", [b"x"], {})
    transport.close()
    assert spans(reporter) == []
    wf_instrument.shutdown(5)


class CallingReporter(RecordingReporter):
    """A reporter that sends with a client that is instrumented."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def report(self, snapshot: Any) -> int:
        assert by_requests(self._url) == 200
        return super().report(snapshot)


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_what_reporters_of_others_send_is_not_recorded(service: Service) -> None:
    reporter = CallingReporter(f"http://127.0.0.1:{service.port}/ok")
    telemetry_for({"reporter": reporter})
    with wf_instrument.span("outer"):
        pass
    assert wf_instrument.flush(5)
    assert [span.name for span in spans(reporter)] == ["outer"]
    assert durations(reporter) == []


@pytest.mark.slow
def test_after_uninstalling_nothing_is_recorded(
    service: Service, reporter: RecordingReporter, installed: None
) -> None:
    for one in LIBRARIES:
        importlib.import_module(f"wf_instrument.integrations.{one}").uninstall()
    for get in CLIENTS.values():
        assert get(f"http://127.0.0.1:{service.port}/ok") == 200
    assert spans(reporter) == []
    assert all("traceparent" not in headers for headers in service.headers)
