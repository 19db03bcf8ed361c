"""The REST client: each call's verb, path, query and body, and what it returns."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from signalfx_service import Asked, Reply, SignalFxService
from wf_instrument._version import __version__
from wf_instrument.backends.signalfx.rest import SignalFxRestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = {"description": "d", "custom_properties": {"a": "b"}, "tags": ["t"]}
FULL_BODY = {"description": "d", "customProperties": {"a": "b"}, "tags": ["t"]}
SEARCH = {"query": "q", "orderBy": "o", "offset": "1", "limit": "2"}
#: Method, arguments, request line, query, body.
Row = tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, str], Any]
ROWS: list[Row] = [
    ("search_metrics", ("q", "o", 1, 2), {}, "GET /v2/metric", SEARCH, None),
    ("search_dimensions", ("q", "o", 1, 2), {}, "GET /v2/dimension", SEARCH, None),
    ("search_metric_time_series", ("q", "o", 1, 2), {}, "GET /v2/metrictimeseries", SEARCH, None),
    ("search_tags", ("q", "o", 1, 2), {}, "GET /v2/tag", SEARCH, None),
    ("search_tags", ("q",), {}, "GET /v2/tag", {"query": "q"}, None),
    ("get_metric_by_name", ("m",), {}, "GET /v2/metric/m", {}, None),
    ("update_metric_by_name", ("m", "gauge"), FULL, "PUT /v2/metric/m", {},
     {"type": "GAUGE", **FULL_BODY}),
    ("get_dimension", ("k", "v"), {}, "GET /v2/dimension/k/v", {}, None),
    ("update_dimension", ("k", "v"), FULL, "PUT /v2/dimension/k/v", {},
     {**FULL_BODY, "key": "k", "value": "v"}),
    ("get_metric_time_series", ("i",), {}, "GET /v2/metrictimeseries/i", {}, None),
    ("get_tag", ("t",), {}, "GET /v2/tag/t", {}, None),
    ("update_tag", ("t", "d", {"a": "b"}), {}, "PUT /v2/tag/t", {},
     {"description": "d", "customProperties": {"a": "b"}}),
    ("get_organization", (), {}, "GET /v2/organization", {}, None),
    ("get_chart", ("i",), {}, "GET /v2/chart/i", {}, None),
    ("get_dashboard", ("i",), {}, "GET /v2/dashboard/i", {}, None),
    ("get_dashboard_group", ("i",), {}, "GET /v2/dashboardgroup/i", {}, None),
    ("get_detector", ("i",), {}, "GET /v2/detector/i", {}, None),
    ("create_detector", ({"a": 1},), {}, "POST /v2/detector", {}, {"a": 1}),
    ("update_detector", ("i", {"a": 1}), {}, "PUT /v2/detector/i", {}, {"a": 1}),
    ("get_detector_events", ("i",), {}, "GET /v2/detector/i/events", {}, None),
    ("get_detector_incidents", ("i",), {}, "GET /v2/detector/i/incidents", {}, None),
    ("get_incident", ("i",), {}, "GET /v2/incident/i", {}, None),
    ("get_incidents", (), {}, "GET /v2/incident", {"offset": "0", "includeResolved": "false"},
     None),
    ("get_incidents", (5, 6, True), {}, "GET /v2/incident",
     {"offset": "5", "limit": "6", "includeResolved": "true"}, None),
    ("get_datalinks", ("c", "n", "v", "o", 3, 4), {}, "GET /v2/crosslink",
     {"context": "c", "propertyName": "n", "propertyValue": "v", "orderBy": "o", "offset": "3",
      "limit": "4"}, None),
    ("get_datalink", ("i",), {}, "GET /v2/crosslink/i", {}, None),
]  # fmt: skip


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService(lambda _: Reply.of({"given": "back"})) as made:
        yield made


@pytest.fixture
def rest(service: SignalFxService) -> Iterator[SignalFxRestClient]:
    with SignalFxRestClient("TOKEN", service.url + "/") as made:
        yield made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_call_makes_exactly_this_request_and_returns_the_decoded_answer(
    service: SignalFxService, rest: SignalFxRestClient, row: Row
) -> None:
    name, arguments, keywords, line, query, body = row
    assert getattr(rest, name)(*arguments, **keywords, timeout=3) == {"given": "back"}
    (one,) = service.asked
    assert (f"{one.method} {one.path}", dict(one.query)) == (line, query)
    assert (json.loads(one.body) if one.body else None) == body
    assert one.headers["x-sf-token"] == "TOKEN"
    assert one.headers["content-type"] == "application/json"
    assert one.headers["user-agent"] == f"wf-instrument/{__version__}"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("delete_tag", "DELETE /v2/tag/i"),
        ("delete_detector", "DELETE /v2/detector/i"),
        ("clear_incident", "PUT /v2/incident/i/clear"),
    ],
)
def test_a_call_without_an_answer_to_decode_returns_the_response(
    service: SignalFxService, rest: SignalFxRestClient, name: str, line: str
) -> None:
    answer = getattr(rest, name)("i")
    assert (answer.status_code, answer.ok, answer.json()) == (200, True, {"given": "back"})
    assert answer.text == '{"given": "back"}'
    (one,) = service.asked
    assert (f"{one.method} {one.target}", one.body) == (line, b"")


def test_a_detector_is_validated_by_its_status_alone(
    service: SignalFxService, rest: SignalFxRestClient
) -> None:
    service.answer = lambda _: Reply(204, b"")
    rest.validate_detector({"a": 1})
    (one,) = service.asked
    assert (f"{one.method} {one.path}", one.json) == ("POST /v2/detector/validate", {"a": 1})


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_an_error_status_raises_with_the_response(
    service: SignalFxService, rest: SignalFxRestClient, status: int
) -> None:
    service.answer = lambda _: Reply.of({"message": "no"}, status)
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        rest.get_tag("t")
    assert caught.value.response.status_code == status
    assert caught.value.response.json() == {"message": "no"}
    assert "TOKEN" not in str(caught.value)


@pytest.mark.parametrize("name", ["delete_tag", "delete_detector"])
def test_a_missing_object_may_be_deleted_when_told_so(
    service: SignalFxService, rest: SignalFxRestClient, name: str
) -> None:
    service.answer = lambda _: Reply.of({}, 404)
    assert getattr(rest, name)("i", ignore_not_found=True).status_code == 404
    with pytest.raises(requests.exceptions.HTTPError):
        getattr(rest, name)("i")
    service.answer = lambda _: Reply.of({}, 403)
    with pytest.raises(requests.exceptions.HTTPError):
        getattr(rest, name)("i", ignore_not_found=True)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("get_dashboards", "/v2/dashboard"),
        ("get_dashboard_groups", "/v2/dashboardgroup"),
        ("get_detectors", "/v2/detector"),
    ],
)
def test_all_pages_are_read_in_batches(
    service: SignalFxService, rest: SignalFxRestClient, name: str, path: str
) -> None:
    def page(one: Asked) -> Reply:
        asked = dict(one.query)
        offset, limit = int(asked["offset"]), int(asked["limit"])
        return Reply.of({"results": list(range(25))[offset : offset + limit], "count": 25})

    service.answer = page
    assert getattr(rest, name)(name="n", batch_size=10) == list(range(25))
    assert [dict(one.query) for one in service.asked] == [
        {"offset": str(offset), "limit": "10", "name": "n"} for offset in (0, 10, 20)
    ]
    assert {one.path for one in service.asked} == {path}


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([([1, 2], 5), ([3], 4), ([], 4)], id="vanished-meanwhile"),
        pytest.param([([1, 2], 3), ([], 3)], id="count-too-high"),
        pytest.param([([1, 2, 3], 2)], id="count-too-low"),
        pytest.param([([], 0)], id="nothing"),
        pytest.param([(None, None)], id="without-a-count"),
    ],
)
def test_paging_ends_in_every_case(
    service: SignalFxService, rest: SignalFxRestClient, pages: list[Any]
) -> None:
    left = iter(pages)

    def page(_: Asked) -> Reply:
        results, count = next(left)
        return Reply.of({} if results is None else {"results": results, "count": count})

    service.answer = page
    assert rest.get_dashboards(batch_size=2) == [
        result for results, _ in pages for result in results or []
    ]


def test_tags_of_detectors_are_asked_for_one_by_one(
    service: SignalFxService, rest: SignalFxRestClient
) -> None:
    service.answer = lambda _: Reply.of({"results": [], "count": 0})
    rest.get_detectors(tags=["a", "b"])
    assert service.asked[0].query == [
        ("offset", "0"), ("limit", "100"), ("tags", "a"), ("tags", "b"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b", "a?b", "a#b", "a&b=c", "é ü", "100%"])
def test_names_and_queries_arrive_as_they_are(
    service: SignalFxService, rest: SignalFxRestClient, name: str
) -> None:
    rest.search_metrics(name)
    rest.get_dimension(name, name)
    search, read = service.asked
    assert search.query == [("query", name)]
    encoded = requests.utils.quote(name, safe="")
    assert read.target in {f"/v2/dimension/{encoded}/{encoded}"}


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_a_url_cannot_hold_is_refused(rest: SignalFxRestClient, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be asked for"):
        rest.get_tag(name)


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda rest: rest.update_tag("t", description="new"), "/v2/tag/t"),
        (lambda rest: rest.update_metric_by_name("m", "gauge", "new"), "/v2/metric/m"),
        (lambda rest: rest.update_dimension("k", "v", description="new"), "/v2/dimension/k/v"),
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_an_update_keeps_what_it_is_not_given(
    service: SignalFxService, rest: SignalFxRestClient, call: Any, path: str, is_known: bool
) -> None:
    kept = {"description": "old", "customProperties": {"a": "b"}, "tags": ["t"]}

    def answer(one: Asked) -> Reply:
        return (
            Reply.of({"put": True})
            if one.method == "PUT"
            else Reply.of(kept, 200 if is_known else 404)
        )

    service.answer = answer
    assert call(rest) == {"put": True}
    get, put = service.asked
    assert (get.method, get.path, put.method, put.path) == ("GET", path, "PUT", path)
    assert put.json["description"] == "new"
    assert put.json["customProperties"] == ({"a": "b"} if is_known else {})
    if not path.startswith("/v2/tag"):
        assert put.json["tags"] == (["t"] if is_known else [])


@pytest.mark.slow
def test_a_call_gives_up_at_its_timeout(service: SignalFxService) -> None:
    is_over = threading.Event()

    def answer(_: Asked) -> Reply:
        is_over.wait(20)
        return Reply()

    service.answer = answer
    with SignalFxRestClient("T", service.url, timeout=0.3) as rest:
        begun = time.monotonic()
        with pytest.raises(requests.exceptions.ReadTimeout):
            rest.get_tag("t")
        with pytest.raises(requests.exceptions.ReadTimeout):
            rest.get_organization(timeout=0.1)
        assert time.monotonic() - begun < 5
        is_over.set()


def test_leaving_the_block_closes_the_connections(service: SignalFxService) -> None:
    with SignalFxRestClient("T", service.url) as rest:
        rest.get_tag("a")
        rest.get_tag("b")
        assert service.connections == 1
    rest.get_tag("c")  # a session opens anew
    assert service.connections == 2
    rest.close()


def test_a_call_takes_a_session_of_the_callers(
    service: SignalFxService, rest: SignalFxRestClient
) -> None:
    with requests.Session() as session:
        rest.get_tag("t", session=session)
    assert service.asked[0].headers["x-sf-token"] == "TOKEN"


def test_the_token_is_not_in_the_repr(rest: SignalFxRestClient) -> None:
    assert "TOKEN" not in repr(rest)
