"""The module names of the older SignalFx client, what is in them, and when they are loaded."""

from __future__ import annotations

import importlib
import inspect
import json

import pytest

from compat.legacy_program import INSTALL, run
from signalfx_service import Asked, Reply, SignalFxService
from wf_instrument.backends.signalfx import SignalFx
from wf_instrument.backends.signalfx.ingest_client import (
    JsonSignalFxIngestClient,
    ProtoBufSignalFxIngestClient,
)
from wf_instrument.backends.signalfx.pyformance_reporter import SignalFxReporter
from wf_instrument.backends.signalfx.rest import SignalFxRestClient
from wf_instrument.backends.signalfx.signalflow import (
    SignalFlowClient,
    SSETransport,
    WebSocketTransport,
)

MESSAGES = [
    "StreamMessage", "ControlMessage", "StreamStartMessage", "JobStartMessage",
    "JobProgressMessage", "ChannelAbortMessage", "EndOfChannelMessage", "InfoMessage",
    "EventMessage", "MetadataMessage", "ExpiredTsIdMessage", "DataMessage", "ErrorMessage",
]  # fmt: skip
CONSTANTS = {
    "DEFAULT_INGEST_ENDPOINT": "https://ingest.signalfx.com",
    "DEFAULT_API_ENDPOINT": "https://api.signalfx.com",
    "DEFAULT_STREAM_ENDPOINT": "https://stream.signalfx.com",
    "DEFAULT_BATCH_SIZE": 300,
    "DEFAULT_TIMEOUT": 5,
    "INTEGER_MAX": 2**63 - 1,
    "INTEGER_MIN": -(2**63),
    "SUPPORTED_EVENT_CATEGORIES": [
        "ALERT", "AUDIT", "COLLECTD", "EXCEPTION", "JOB", "SERVICE_DISCOVERY", "USER_DEFINED",
    ],
}  # fmt: skip
NAMES = {
    "signalfx": [
        "SignalFx", "__version__", "DEFAULT_API_ENDPOINT", "DEFAULT_INGEST_ENDPOINT",
        "DEFAULT_STREAM_ENDPOINT", "DEFAULT_TIMEOUT", "constants", "version",
    ],
    "signalfx.version": ["name", "version", "user_agent"],
    "signalfx.constants": list(CONSTANTS),
    "signalfx.ingest": [
        "ProtoBufSignalFxIngestClient", "JsonSignalFxIngestClient", "sf_pbuf",
        "_BaseSignalFxIngestClient",
    ],
    "signalfx.rest": ["SignalFxRestClient"],
    "signalfx.aws": [
        "get_aws_unique_id", "AWS_ID_DIMENSION", "DEFAULT_AWS_TIMEOUT", "EC2_ID_URL",
        "ECS_METADATA_URL",
    ],
    "signalfx.signalflow": [
        "SignalFlowClient", "channel", "computation", "errors", "messages", "transport", "ws",
    ],
    "signalfx.signalflow.computation": ["Computation"],
    "signalfx.signalflow.errors": [
        "SignalFlowException", "ComputationAborted", "ComputationFailed",
    ],
    "signalfx.signalflow.messages": MESSAGES,
    "signalfx.signalflow.ws": ["WebSocketTransport", "WebSocketComputationChannel"],
    "signalfx.signalflow.sse": ["SSETransport", "SSEComputationChannel"],
    "signalfx.pyformance": [
        "MetricsRegistry", "SignalFxReporter", "global_registry", "set_global_registry", "counter",
        "gauge", "histogram", "meter", "timer", "clear", "dump_metrics", "count_calls",
        "meter_calls", "hist_calls", "time_calls", "count_calls_with_dims",
        "meter_calls_with_dims", "hist_calls_with_dims", "time_calls_with_dims", "call_too_long",
    ],
    "signalfx.pyformance.metadata": ["MetricMetadata"],
    "signalfx.pyformance.registry": ["RegexRegistry", "MetricsRegistry"],
    "signalfx.pyformance.reporter": ["SignalFxReporter"],
    "signalfx.generated_protocol_buffers.signal_fx_protocol_buffers_pb2": [
        "DataPointUploadMessage", "DataPoint", "Datum", "Dimension", "EventUploadMessage", "Event",
        "Property", "PropertyValue", "PointValue", "GAUGE", "COUNTER", "ENUM",
        "CUMULATIVE_COUNTER", "USER_DEFINED", "ALERT", "AUDIT", "JOB", "COLLECTD",
        "SERVICE_DISCOVERY", "EXCEPTION", "AGENT",
    ],
}  # fmt: skip


@pytest.mark.slow
def test_every_module_has_its_names() -> None:
    program = f"""
import importlib, json
names = {NAMES!r}
print(json.dumps({{
    module: [name for name in wanted if not hasattr(importlib.import_module(module), name)]
    for module, wanted in names.items()
}}))
"""
    assert json.loads(run(INSTALL + program)) == {module: [] for module in NAMES}


@pytest.mark.slow
def test_submodules_are_reached_without_an_import_once_a_client_was_made() -> None:
    program = """
import signalfx, sys
sfx = signalfx.SignalFx()
print("requests" in sys.modules, "websockets" in sys.modules)
sfx.ingest("T"), sfx.rest("T"), sfx.signalflow("T")
print(signalfx.signalflow.messages.DataMessage.__name__, signalfx.rest.SignalFxRestClient.__name__)
print(signalfx.__version__, signalfx.version.user_agent)
"""
    assert run(INSTALL + program) == (
        "False False\nDataMessage SignalFxRestClient\n1.1.16 signalfx-python/1.1.16\n"
    )


def test_the_constants_have_their_values() -> None:
    constants = importlib.import_module("wf_instrument.compat.signalfx.constants")
    assert {name: getattr(constants, name) for name in CONSTANTS} == CONSTANTS


@pytest.mark.slow
def test_the_global_registry_is_replaced_and_keeps_what_was_made_before() -> None:
    program = """
import pyformance
pyformance.counter("before").inc()
import signalfx.pyformance
signalfx.pyformance.counter("after", host="a").inc()
pyformance.counter("before").inc()
print(sorted(signalfx.pyformance.dump_metrics().items()))
print(type(pyformance.global_registry()).__name__)
"""
    assert run(INSTALL + program) == (
        "[('before', {'count': 2}), ('host=a.after', {'count': 1})]\nDimensionedRegistry\n"
    )


@pytest.mark.slow
def test_everything_but_the_generated_messages_works_without_protobuf_and_setuptools() -> None:
    program = """
import sys
sys.modules["google.protobuf"] = sys.modules["pkg_resources"] = None
import signalfx, signalfx.ingest, signalfx.pyformance
client = signalfx.SignalFx().ingest("T")
print(type(client).__name__, signalfx.ingest.sf_pbuf)
"""
    assert run(INSTALL + program) == "ProtoBufSignalFxIngestClient None\n"


@pytest.mark.slow
def test_without_the_extra_a_client_that_needs_it_names_it() -> None:
    program = """
import sys
sys.modules["requests"] = sys.modules["websockets"] = None
from wf_instrument.backends.signalfx import SignalFx
for make in (lambda: SignalFx().rest("T"), lambda: SignalFx().signalflow("T").execute("P")):
    try:
        make()
    except ImportError as error:
        print("wf-instrument[signalfx]" in str(error), error.name.partition(".")[0])
try:
    SignalFx(ingest_endpoint="http://127.0.0.1:1").ingest("T").send_event("e")
except ConnectionError as error:
    print(type(error).__name__)
"""
    assert run(program) == "True requests\nTrue websockets\nSignalFxConnectionError\n"


def first_parameters(function: object) -> list[str]:
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()  # type: ignore[arg-type]
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (SignalFx, "api_endpoint ingest_endpoint stream_endpoint timeout compress"),
        (ProtoBufSignalFxIngestClient, "token endpoint timeout batch_size user_agents compress"),
        (JsonSignalFxIngestClient.send, "self cumulative_counters gauges counters"),
        (
            JsonSignalFxIngestClient.send_event,
            "self event_type category dimensions properties timestamp",
        ),
        (SignalFxRestClient, "token endpoint timeout"),
        (SignalFlowClient, "token endpoint timeout transport compress proxy_url"),
        (WebSocketTransport, "token endpoint timeout compress proxy_url"),
        (SSETransport, "token endpoint timeout compress proxy_url"),
        (
            SignalFxReporter,
            "token ingest_endpoint registry reporting_interval default_dimensions",
        ),
    ],
)
def test_arguments_by_place_are_those_of_the_older_client(function: object, names: str) -> None:
    assert first_parameters(function) == names.split()


def test_an_entry_gives_its_clients_its_own_settings_unless_they_have_others() -> None:
    with SignalFxService() as own, SignalFxService() as other:
        entry = SignalFx(ingest_endpoint=own.url, timeout=7, compress=False)
        points = [{"metric": "m", "value": 1}]
        with entry.ingest("T") as client:
            client.send(gauges=points)
        with entry.ingest("T", endpoint=other.url, compress=True) as client:
            client.send(gauges=points)
        with entry.ingest("T", endpoint="", timeout=0) as client:
            client.send(gauges=points)
        assert ["content-encoding" in one.headers for one in own.asked] == [False, False]
        assert ["content-encoding" in one.headers for one in other.asked] == [True]


def test_a_login_returns_the_token_of_a_session() -> None:
    def answer(one: Asked) -> Reply:
        assert (one.method, one.path) == ("POST", "/v2/session")
        if one.json == {"email": "me@example.com", "password": "right"}:
            return Reply.of({"accessToken": "given"})
        return Reply.of({"message": "no"}, 401)

    requests = pytest.importorskip("requests")
    with SignalFxService(answer) as service:
        entry = SignalFx(api_endpoint=service.url)
        assert entry.login("me@example.com", "right") == "given"
        with pytest.raises(requests.exceptions.HTTPError) as caught:
            entry.login("me@example.com", "WRONG")
    assert caught.value.response.status_code == 401
    assert "WRONG" not in str(caught.value)
