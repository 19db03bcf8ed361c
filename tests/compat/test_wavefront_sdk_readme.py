"""Every code block of the Wavefront SDK's README runs, and what it says it sends arrives.

Changed are the URLs; in the second round also the imports, from `wavefront_sdk` to this library.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from compat.readme_blocks import read_blocks, replaced, stated_results
from loopback import CERTIFICATE, Answer, LoopbackReceiver, Received
from wf_instrument import compat

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = read_blocks(Path(__file__).parent / "data" / "wavefront_sdk_readme_blocks.md")
ONE_CLIENT = "Wavefront Proxy/Direct Ingestion"
CSP_TOKEN = "VMware Cloud Services API Token"
CSP_OAUTH = "Server to Server OAuth App"
SEVERAL_CLIENTS = "Multiple clients"
SETUPS = [ONE_CLIENT, CSP_TOKEN, CSP_OAUTH, SEVERAL_CLIENTS]
CLOSE = "Close the Sender"
OURS = "wf_instrument.backends.wavefront"
SENDS = [heading for heading in BLOCKS if heading not in {*SETUPS, CLOSE}]

SPAN_IDS = (
    "traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 spanId=0313bafe-9457-11e8-9eb6-529269fb1459 "
    "parent=2f64e538-9457-11e8-9eb6-529269fb1459"
)
#: What the README sends one by one, as the formats in its comments have it.
SINGLE = {
    "f=wavefront": [
        '"new_york.power.usage" 42422.0 1533529977 source="localhost" "datacenter"="dc1"\n',
        '"∆delta.counter" 1.0 source="localhost" "datacenter"="dc1"\n',
    ],
    "f=histogram": [
        f'{granularity} 1533529977 #20 30.0 #10 5.1 "request.latency" source="appServer1" '
        '"region"="us-west"\n'
        for granularity in ("!D", "!H", "!M")
    ],
    "f=trace": [
        (
            f'"getAllUsers" source="localhost" {SPAN_IDS} "application"="Wavefront" '
            '"service"="istio" "http.method"="GET" 1533529977 343500\n'
        )
    ],
    "f=event": [
        (
            '@Event 1592200048 1592201048 "event name" severity="info" type="backup" '
            'details="broker backup" host="localhost" tag="env:" tag="dev"\n'
        )
    ],
}
EVENT_JSON = {
    "name": "event name",
    "annotations": {"severity": "info", "type": "backup", "details": "broker backup"},
    "hosts": ["localhost"],
    "startTime": 1592200048,
    "endTime": 1592201048,
    "tags": ["env:", "dev"],
}
#: Variable that a batch block fills, to the kind it sends, twice.
BATCHES = {
    "one_metric_data": "f=wavefront",
    "one_histogram_data": "f=histogram",
    "one_tracing_span_data": "f=trace",
    "one_event_data": "f=event",
}


def stated() -> dict[str, str]:
    return {name: text for code in BLOCKS.values() for name, text in stated_results(code).items()}


def expected() -> dict[str, list[str]]:
    lines = {kind: list(single) for kind, single in SINGLE.items()}
    for name, kind in BATCHES.items():
        lines[kind] += stated()[name].splitlines(keepends=True) * 2
    return {kind: sorted(all_of_it) for kind, all_of_it in lines.items()}


def arrived(receiver: LoopbackReceiver) -> dict[str, list[str]]:
    """Return what the program sent, without what the client reports on itself."""
    return {
        kind: sorted(line for line in receiver.lines(kind) if "~sdk.python." not in line)
        for kind in SINGLE
    }


@pytest.fixture(params=["imports as they stand", "imports changed"])
def is_legacy(request: pytest.FixtureRequest) -> Iterator[bool]:
    is_legacy: bool = request.param == "imports as they stand"
    if is_legacy:
        compat.install()
    yield is_legacy
    compat.uninstall()


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackReceiver]:
    """The service itself, which speaks TLS."""
    monkeypatch.setenv("WF_CA_FILE", str(CERTIFICATE))
    with LoopbackReceiver(tls=True) as made:
        yield made


def program(setup: str, urls: dict[str, str], *, is_legacy: bool) -> dict[str, object]:
    """Run the README from a setup to the end; returns the program's variables."""
    blocks = [replaced(BLOCKS[setup], urls), *(BLOCKS[name] for name in (*SENDS, CLOSE))]
    space: dict[str, object] = {}
    for code in blocks:
        if not is_legacy:
            code = re.sub(r"from wavefront_sdk[\w.]* import", f"from {OURS} import", code)
            assert "wavefront_sdk" not in code
        exec(code, space)
    return space


def check_values(space: dict[str, object]) -> None:
    assert set(stated()) == set(BATCHES)
    assert {name: space[name] for name in BATCHES} == stated()
    assert space["total_failures"] == 0


def test_the_readme_is_read_whole() -> None:
    assert set(SETUPS) < set(BLOCKS)
    assert len(BLOCKS) == 13
    assert len(SENDS) == 8


def test_through_a_proxy_every_line_arrives(receiver: LoopbackReceiver, is_legacy: bool) -> None:
    proxy = f"proxy://127.0.0.1:{receiver.port}"
    urls = {"<URL for proxy or direct ingestions>": proxy}
    check_values(program(ONE_CLIENT, urls, is_legacy=is_legacy))
    assert arrived(receiver) == expected()
    assert "authorization" not in receiver.received[0].headers


def test_by_direct_ingestion_every_line_arrives_with_the_token(
    service: LoopbackReceiver, is_legacy: bool
) -> None:
    urls = {"<URL for proxy or direct ingestions>": f"https://TOKEN@127.0.0.1:{service.port}"}
    check_values(program(ONE_CLIENT, urls, is_legacy=is_legacy))
    check_direct(service, "Bearer TOKEN")


def check_direct(service: LoopbackReceiver, authorization: str) -> None:
    assert {one.headers["authorization"] for one in service.received} == {authorization}
    lines = expected()
    del lines["f=event"]
    came = arrived(service)
    del came["f=event"]
    assert came == lines
    events = [one.body for one in service.received if one.target == "/api/v2/event"]
    assert EVENT_JSON in [json.loads(body) for body in events if body.startswith("{")]


@pytest.mark.parametrize("setup", [CSP_TOKEN, CSP_OAUTH])
def test_with_cloud_services_every_line_arrives_with_the_token_they_gave(
    service: LoopbackReceiver, is_legacy: bool, setup: str
) -> None:
    def give_token(_: Received) -> Answer:
        return Answer(body=b'{"access_token": "given", "expires_in": 1800}')

    with LoopbackReceiver(give_token) as console:
        urls = {
            "<URL for direct ingestions>": f"https://127.0.0.1:{service.port}",
            "<URL for csp authentication>": console.url,
        }
        check_values(program(setup, urls, is_legacy=is_legacy))
        check_direct(service, "Bearer given")
        (asked,) = console.received
        form = parse_qs(asked.body)
    if setup == CSP_TOKEN:
        assert form == {"api_token": ["<Token for csp api>"]}
    else:
        assert form == {
            "grant_type": ["client_credentials"],
            "orgId": ["<ID for csp organization>"],
        }
        assert asked.headers["authorization"].startswith("Basic ")


def test_several_services_all_get_every_line(
    receiver: LoopbackReceiver, service: LoopbackReceiver, is_legacy: bool
) -> None:
    with LoopbackReceiver() as tracing:
        urls = {
            "proxy://our.proxy.lb.com:2878": f"proxy://127.0.0.1:{receiver.port}",
            "https://someToken@DOMAIN.wavefront.com": f"https://someToken@127.0.0.1:{service.port}",
            "http://<proxy_hostname>:30000": tracing.url,
        }
        check_values(program(SEVERAL_CLIENTS, urls, is_legacy=is_legacy))
        assert arrived(receiver) == arrived(tracing) == expected()
        check_direct(service, "Bearer someToken")
