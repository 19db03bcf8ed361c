"""Tokens of VMware Cloud Services: asked for once, renewed in time, and never shown."""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
import time
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from loopback import Answer, LoopbackReceiver, Received
from wf_instrument.backends.wavefront import WavefrontClient, WavefrontClientFactory
from wf_instrument.backends.wavefront.csp import CspApiToken, CspOAuthApp, CspTokenSource
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret"


class Csp:
    """A token service that numbers its tokens."""

    def __init__(self, lifetime_s: float = 1800) -> None:
        self.lifetime_s = lifetime_s
        self.status = 200
        self.body: bytes | None = None
        self._numbers = count(1)

    def __call__(self, one: Received) -> Answer:
        if self.status != 200:
            return Answer(self.status)
        fields = {"access_token": f"token-{next(self._numbers)}", "expires_in": self.lifetime_s}
        return Answer(body=json.dumps(fields).encode() if self.body is None else self.body)


@pytest.fixture
def csp() -> Csp:
    return Csp()


@pytest.fixture
def console(csp: Csp) -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver(csp) as made:
        yield made


@pytest.fixture
def service() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def test_an_api_token_is_exchanged(console: LoopbackReceiver) -> None:
    source = CspTokenSource(CspApiToken(f"{SECRET}&x=é"), console.url + "/")
    assert source.token() == "token-1"
    (asked,) = console.received
    assert asked.target == "/csp/gateway/am/api/auth/api-tokens/authorize"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body) == {"api_token": [f"{SECRET}&x=é"]}
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("org", [None, "org-1"])
def test_an_oauth_app_gets_a_token_for_its_id_and_secret(
    console: LoopbackReceiver, org: str | None
) -> None:
    source = CspTokenSource(CspOAuthApp("app", SECRET, org), console.url)
    assert source.token() == "token-1"
    (asked,) = console.received
    assert asked.target == "/csp/gateway/am/api/auth/authorize"
    form = {"grant_type": ["client_credentials"]}
    assert parse_qs(asked.body) == (form if org is None else {**form, "orgId": [org]})
    basic = base64.b64encode(f"app:{SECRET}".encode()).decode()
    assert asked.headers["authorization"] == f"Basic {basic}"


@pytest.mark.parametrize(
    ("lifetime_s", "still_good_s", "renewed_s"),
    [(1800, 1619, 1620), (600, 419, 420), (599, 568, 569), (60, 29, 30), (20, 9, 10)],
)
def test_a_token_is_renewed_before_it_ends(
    csp: Csp,
    console: LoopbackReceiver,
    lifetime_s: float,
    still_good_s: float,
    renewed_s: float,
) -> None:
    csp.lifetime_s = lifetime_s
    clock = ManualClock()
    source = CspTokenSource(CspApiToken(SECRET), console.url, clock=clock)
    assert source.token() == "token-1"
    clock.advance(still_good_s)
    assert source.token() == "token-1"
    clock.advance(renewed_s - still_good_s)
    assert source.token() == "token-2"


def test_many_threads_ask_once(console: LoopbackReceiver) -> None:
    source = CspTokenSource(CspApiToken(SECRET), console.url)
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(source.token())) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens == ["token-1"] * 10
    assert len(console.received) == 1


@pytest.mark.slow
def test_who_waits_for_another_threads_token_waits_no_longer_than_its_own_time(
    console: LoopbackReceiver,
) -> None:
    is_asked, go_on = threading.Event(), threading.Event()
    statuses = iter([500])

    def answer(_: Received) -> Answer:
        is_asked.set()
        status = next(statuses, None)
        go_on.wait(0.8 if status else 20)
        return Answer(status or 200)

    console.answer = answer
    source = CspTokenSource(CspApiToken(SECRET), console.url)

    def fail() -> None:
        with pytest.raises(SendError):
            source.token()

    first = threading.Thread(target=fail)
    first.start()
    assert is_asked.wait(10)
    began = time.monotonic()
    with pytest.raises(SendError):
        source.token(1)
    assert time.monotonic() - began < 5
    go_on.set()
    first.join()


def test_a_good_token_is_used_on_while_the_service_that_renews_it_is_down(
    csp: Csp, console: LoopbackReceiver
) -> None:
    clock = ManualClock()
    source = CspTokenSource(CspApiToken(SECRET), console.url, clock=clock)
    source.token()
    csp.status = 503
    clock.advance(1700)
    assert source.token() == "token-1"
    asked = len(console.refused)
    assert source.token() == "token-1"
    assert len(console.refused) == asked == 1  # not asked again at every request
    clock.advance(101)
    with pytest.raises(SendError, match="503"):
        source.token()
    csp.status = 200
    assert source.token() == "token-2"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b'"x"', b"{}", b'{"access_token": "a"}', b"\xff\xfe",
        b'{"access_token": "", "expires_in": 60}', b'{"access_token": 5, "expires_in": 60}',
        b'{"access_token": "a\\r\\nX-Evil: 1", "expires_in": 60}', b"[" * 100_000,
        b'{"access_token": "a", "expires_in": "soon"}', b'{"access_token": "a", "expires_in": 0}',
        b'{"access_token": "a", "expires_in": 1' + b"0" * 400 + b"}",
        b'{"access_token": "a", "expires_in": NaN}', b'{"access_token": "a", "expires_in": -1}',
    ],
)  # fmt: skip
def test_an_answer_that_is_nonsense_gives_no_token(
    csp: Csp, console: LoopbackReceiver, body: bytes
) -> None:
    csp.body = body
    with pytest.raises(SendError, match="its answer holds none"):
        CspTokenSource(CspApiToken(SECRET), console.url).token()


def direct_client(
    service: LoopbackReceiver, console: LoopbackReceiver, **options: object
) -> WavefrontClient:
    source = CspTokenSource(CspApiToken(SECRET), console.url)
    return WavefrontClient(service.url, source, flush_interval_seconds=3600, **options)  # type: ignore[arg-type]  # passed on


def test_data_are_sent_with_the_token_and_never_without(
    csp: Csp, console: LoopbackReceiver, service: LoopbackReceiver
) -> None:
    csp.status = 500
    client = direct_client(service, console)
    client.send_metric("m", 1, None, "s", None)
    assert not client.sender.flush(5)
    assert (service.received, service.refused) == ([], [])
    csp.status = 200
    assert client.sender.flush(10)
    assert service.received[0].headers["authorization"] == "Bearer token-1"
    assert [line.split()[0] for line in service.lines()] == ['"m"']
    client.close()


def test_a_refused_token_is_renewed_once_and_the_batch_sent_again(
    console: LoopbackReceiver, service: LoopbackReceiver
) -> None:
    service.answer = lambda one: Answer(
        401 if one.headers["authorization"] == "Bearer token-1" else 200
    )
    client = direct_client(service, console)
    client.send_metric("m", 1, None, "s", None)
    assert client.sender.flush(10)
    assert client.get_failure_count() == 0
    assert (len(service.refused), len(service.received)) == (1, 1)
    service.answer = lambda _: Answer(401)
    client.send_metric("m", 2, None, "s", None)
    assert not client.sender.flush(1)
    assert len(service.refused) <= 1 + 2 * client.get_failure_count()
    service.answer = lambda _: Answer()
    assert client.sender.flush(10)
    assert len(service.lines()) == 2
    client.close()


def test_the_factory_takes_an_api_token_or_an_app(
    console: LoopbackReceiver, service: LoopbackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = WavefrontClientFactory()
    url = service.url.replace("http://", "https://")
    factory.add_client(url, csp_base_url=console.url, csp_api_token=SECRET)
    with pytest.raises(ConfigError, match="csp_app_id and csp_app_secret"):
        factory.add_client("https://other", csp_app_id="app")
    with pytest.raises(ConfigError, match="csp_app_id and csp_app_secret"):
        factory.add_client("https://other", csp_app_secret=SECRET)
    with pytest.raises(ConfigError, match="either"):
        factory.add_client(
            "https://other", csp_api_token="a", csp_app_id="b", csp_app_secret=SECRET
        )
    with pytest.raises(ConfigError, match="proxy"):
        factory.add_client("proxy://other", csp_api_token=SECRET)
    assert [client.server for client in factory.clients] == [url]


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", f"https://{SECRET}@host", "http://[::1"])
def test_a_base_url_that_is_none_is_told_without_secrets(url: str) -> None:
    with pytest.raises(ConfigError, match="CSP base URL") as caught:
        CspTokenSource(CspApiToken(SECRET), url)
    assert SECRET not in str(caught.value)


def test_credentials_do_not_travel_over_plain_http_to_another_machine() -> None:
    with pytest.raises(ConfigError, match="plain http"):
        CspTokenSource(CspApiToken(SECRET), "http://console.example")
    CspTokenSource(CspApiToken(SECRET), "http://console.example", allow_insecure=True)


@pytest.mark.parametrize("credentials", [CspApiToken(SECRET), CspOAuthApp("app", SECRET)])
def test_no_secret_is_shown_whatever_goes_wrong(
    csp: Csp,
    console: LoopbackReceiver,
    caplog: pytest.LogCaptureFixture,
    credentials: CspApiToken | CspOAuthApp,
) -> None:
    caplog.set_level(logging.DEBUG)
    source = CspTokenSource(credentials, console.url)
    said = [repr(source), repr(credentials), str(credentials)]
    for csp.status, csp.body in ((401, None), (200, b"nonsense"), (200, SECRET.encode())):
        with pytest.raises(SendError) as caught:
            source.token()
        said += [repr(caught.value), str(caught.value), repr(caught.value.__context__)]
    assert SECRET not in " ".join(said) + caplog.text


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_ask_even_if_its_parent_was_asking(console: LoopbackReceiver) -> None:
    source = CspTokenSource(CspApiToken(SECRET), console.url)
    is_held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with source._lock:  # noqa: SLF001 - no answer of a service lasts exactly until a fork
            is_held.set()
            let_go.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(10)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if source.token(5).startswith("token-") else 1)
    let_go.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
