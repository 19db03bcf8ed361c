"""What `send` refuses, with which exception, and that it leaves no trace."""

from __future__ import annotations

import copy
import decimal
import logging
from typing import TYPE_CHECKING, Any

import pytest

from signalfx_service import SignalFxService
from wf_instrument.backends.signalfx.ingest_client import (
    JsonSignalFxIngestClient,
    ProtoBufSignalFxIngestClient,
)
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = 2**63


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService() as made:
        yield made


def point(**fields: Any) -> dict[str, Any]:
    return {"metric": "m", "value": 1, **fields}


class Texty(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param({"value": 1}, KeyError, id="no-metric"),
        pytest.param({"metric": "m"}, KeyError, id="no-value"),
        pytest.param(point(metric=None), TypeError, id="metric-none"),
        pytest.param(point(metric=b"m"), TypeError, id="metric-bytes"),
        pytest.param(point(value=True), ValueError, id="bool"),
        pytest.param(point(value=None), ValueError, id="value-none"),
        pytest.param(point(value=b"1"), ValueError, id="value-bytes"),
        pytest.param(point(value=[1]), ValueError, id="value-list"),
        pytest.param(point(value=decimal.Decimal(1)), ValueError, id="decimal"),
        pytest.param(point(value=BIG), ValueError, id="above-int64"),
        pytest.param(point(value=-BIG - 1), ValueError, id="below-int64"),
        pytest.param(point(value=1 << 40_000), ValueError, id="far-above-int64"),
        pytest.param(point(timestamp="soon"), ValueError, id="timestamp-text"),
        pytest.param(point(timestamp=BIG), ValueError, id="timestamp-above-int64"),
        pytest.param(point(dimensions=None), ValueError, id="dimensions-none"),
        pytest.param(point(dimensions=[("a", "b")]), ValueError, id="dimensions-list"),
        pytest.param(point(dimensions=[]), ValueError, id="dimensions-empty-list"),
        pytest.param(point(dimensions={"a": []}), TypeError, id="dimension-value-list"),
        pytest.param(point(metric=[]), TypeError, id="metric-list"),
        pytest.param(point(dimensions={"a": 1}), TypeError, id="dimension-value-int"),
        pytest.param(point(dimensions={"a": None}), TypeError, id="dimension-value-none"),
        pytest.param(point(dimensions={1: "a"}), TypeError, id="dimension-name-int"),
        pytest.param(point(metric="\ud800"), ValueError, id="lone-surrogate"),
    ],
)
def test_a_bad_point_is_refused_and_nothing_of_its_call_is_queued(
    service: SignalFxService, bad: dict[str, Any], error: type[Exception]
) -> None:
    with ProtoBufSignalFxIngestClient("T", service.url) as client:
        with pytest.raises(error):
            client.send(gauges=[point(), point()], counters=[bad])
        assert client.waiting == 0
        client.send(gauges=[point(value=7)])
    assert service.values() == [7]


def test_an_integer_beyond_64_bits_is_named_with_both_bounds() -> None:
    client = ProtoBufSignalFxIngestClient("T")
    with pytest.raises(ValueError, match=f"{BIG} is not from {-BIG} to {BIG - 1}"):
        client.send(gauges=[point(value=BIG)])


@pytest.mark.parametrize("value", [BIG - 1, -BIG, 0, 1.5, "text", Texty("sub"), ""])
def test_values_within_the_rules_arrive_as_they_are(service: SignalFxService, value: Any) -> None:
    with ProtoBufSignalFxIngestClient("T", service.url) as client:
        client.send(gauges=[point(value=value)])
    assert service.values() == [value]


@pytest.mark.parametrize(
    ("timestamp", "sent"), [(None, None), (0, None), (1500.9, 1500), ("1500", 1500), (1500, 1500)]
)
def test_timestamps_are_cut_to_whole_milliseconds_and_falsy_ones_left_out(
    service: SignalFxService, timestamp: Any, sent: int | None
) -> None:
    with ProtoBufSignalFxIngestClient("T", service.url) as client:
        client.send(gauges=[point(timestamp=timestamp)])
    assert service.points()[0].get("timestamp") == sent


@pytest.mark.parametrize("client_class", [ProtoBufSignalFxIngestClient, JsonSignalFxIngestClient])
@pytest.mark.parametrize("points", [(point(),), {"a": point()}, iter([point()])])
def test_a_kind_that_is_no_list_is_a_type_error(client_class: type, points: Any) -> None:
    with pytest.raises(TypeError, match="gauges is a"):
        client_class("T").send(gauges=points)


@pytest.mark.parametrize("bad", [point(value=float("nan")), point(value=BIG)])
def test_json_refuses_what_has_no_json_or_no_64_bits(bad: dict[str, Any]) -> None:
    client = JsonSignalFxIngestClient("T")
    with pytest.raises(ValueError, match=r"NaN|is not from"):
        client.send(gauges=[point(), bad])
    assert client.waiting == 0


def test_dimensions_none_is_taken_when_the_client_has_some(service: SignalFxService) -> None:
    with ProtoBufSignalFxIngestClient("T", service.url) as client:
        client.add_dimensions({"a": "b"})
        client.send(gauges=[point(dimensions=None)])
    assert service.points()[0]["dimensions"] == {"a": "b"}


@pytest.mark.parametrize("client_class", [ProtoBufSignalFxIngestClient, JsonSignalFxIngestClient])
def test_the_callers_objects_stay_as_they_are_and_later_changes_of_them_are_not_sent(
    service: SignalFxService, client_class: type
) -> None:
    dimensions = {"own": "1"}
    given = [point(dimensions=dimensions), point()]
    before = copy.deepcopy(given)
    with client_class("T", service.url) as client:
        client.add_dimensions({"extra": "2"})
        client.send(gauges=given)
        client.send_event("e", dimensions=dimensions)
        assert given == before
        given[0]["value"] = 9
        dimensions["late"] = "3"
        client.add_dimensions({"later": "4"})
    assert [p["dimensions"] for p in service.points()] == [
        {"own": "1", "extra": "2"},
        {"extra": "2"},
    ]
    assert service.values() == [1, 1]


LIMITS = [
    pytest.param(point(metric=""), id="no-name"),
    pytest.param(point(metric="m" * 257), id="long-name"),
    pytest.param(point(dimensions={"": "v"}), id="no-dimension-name"),
    pytest.param(point(dimensions={"d" * 129: "v"}), id="long-dimension-name"),
    pytest.param(point(dimensions={"1d": "v"}), id="digit-first"),
    pytest.param(point(dimensions={"a b": "v"}), id="blank-inside"),
    pytest.param(point(dimensions={"sf_x": "v"}), id="reserved"),
    pytest.param(point(dimensions={"d": ""}), id="no-value"),
    pytest.param(point(dimensions={"d": "v" * 257}), id="long-value"),
    pytest.param(point(dimensions={f"d{n}": "v" for n in range(37)}), id="too-many"),
]


@pytest.mark.parametrize("client_class", [ProtoBufSignalFxIngestClient, JsonSignalFxIngestClient])
@pytest.mark.parametrize("beyond", LIMITS)
def test_what_the_service_would_drop_is_sent_but_told_and_counted(
    service: SignalFxService,
    client_class: type,
    beyond: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with client_class("T", service.url) as client:
        for _ in range(3):
            client.send(gauges=[beyond])
        assert client.beyond_limits == 3
    assert len(service.points()) == 3
    (record,) = [r for r in caplog.records if "without a word" in r.message]
    assert record.levelno == logging.WARNING


@pytest.mark.parametrize("beyond", LIMITS)
def test_limits_may_be_errors_and_stay_errors(beyond: dict[str, Any]) -> None:
    client = ProtoBufSignalFxIngestClient("T", limits="raise")
    for _ in range(2):
        with pytest.raises(ValueError, match="the service takes"):
            client.send(gauges=[beyond])


def test_dimensions_that_the_service_itself_reserves_for_its_users_are_within_the_limits() -> None:
    client = ProtoBufSignalFxIngestClient("T", limits="raise")
    own = {"sf_hires": "1", "AWSUniqueId": "i", "gcp_id": "g", "azure_resource_id": "a"}
    assert client.encode("gauge", point(dimensions=own))


@pytest.mark.parametrize("token", ["", "two words", "bl\nank", None])
def test_a_token_that_cannot_stand_in_a_header_is_refused_and_not_shown(token: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        ProtoBufSignalFxIngestClient(token)
    assert str(token) not in str(caught.value) or not token
