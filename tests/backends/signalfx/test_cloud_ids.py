"""The id of the machine: from each cloud's metadata service, and None where there is none."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from signalfx_service import Asked, Reply, SignalFxService
from wf_instrument.backends.signalfx import (
    ProtoBufSignalFxIngestClient,
    add_cloud_dimensions,
    cloud_ids,
    get_aws_unique_id,
    get_azure_resource_id,
    get_gcp_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = "http://127.0.0.1:1/"
DOCUMENT = {"instanceId": "i-1", "region": "eu-west-1", "accountId": "123"}


@pytest.fixture
def service() -> Iterator[SignalFxService]:
    with SignalFxService(lambda _: Reply.of({}, 404)) as made:
        yield made


@pytest.mark.parametrize("arn", ["task/abc", "task/cluster/abc"])
def test_an_ecs_task_is_named_without_its_cluster(service: SignalFxService, arn: str) -> None:
    service.answer = lambda _: Reply.of({"TaskARN": f"arn:aws:ecs:eu-west-1:123:{arn}"})
    assert get_aws_unique_id(ecs_url=service.url + "/v2/metadata") == "abc_eu-west-1_123"


def test_the_environment_says_where_to_ask_for_a_task(
    service: SignalFxService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", service.url + "/v4/id")
    get_aws_unique_id(ec2_url=NOBODY)
    assert [one.target for one in service.asked] == ["/v4/id/task"]


@pytest.mark.parametrize("demands_token", [True, False])
def test_an_ec2_instance_is_asked_with_a_token_where_there_are_some(
    service: SignalFxService, demands_token: bool
) -> None:
    def answer(one: Asked) -> Reply:
        if one.method == "PUT":
            assert one.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "60"
            return Reply(200 if demands_token else 405, b"the-token")
        given = one.headers.get("x-aws-ec2-metadata-token")
        assert given == ("the-token" if demands_token else None)
        return Reply.of(DOCUMENT)

    service.answer = answer
    url = service.url + "/latest/dynamic/instance-identity/document"
    assert get_aws_unique_id(ecs_url=NOBODY, ec2_url=url) == "i-1_eu-west-1_123"
    assert [one.target for one in service.asked] == [
        "/latest/api/token", "/latest/dynamic/instance-identity/document",
    ]  # fmt: skip


def test_a_google_machine_is_named_only_when_the_answer_is_googles(
    service: SignalFxService,
) -> None:
    flavor = (("Metadata-Flavor", "Google"),)

    def answer(one: Asked) -> Reply:
        assert one.headers["metadata-flavor"] == "Google"
        return Reply(200, b"project" if one.path.endswith("project-id") else b"42", flavor)

    service.answer = answer
    assert get_gcp_id(url=service.url) == "project_42"
    flavor = ()
    assert get_gcp_id(url=service.url) is None


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "sub/group/microsoft.compute/virtualmachines/set_7"),
        ({"vmScaleSetName": "Set"},
         "sub/group/microsoft.compute/virtualmachinescalesets/set/virtualmachines/7"),
        ({"vmScaleSetName": "Se"},
         "sub/group/microsoft.compute/virtualmachinescalesets/se/virtualmachines/set_7"),
    ],
)  # fmt: skip
def test_an_azure_machine_is_named_in_lower_case_also_in_a_scale_set(
    service: SignalFxService, more: dict[str, str], expected: str
) -> None:
    compute = {"subscriptionId": "Sub", "resourceGroupName": "Group", "name": "Set_7", **more}
    service.answer = lambda _: Reply.of({"compute": compute})
    assert get_azure_resource_id(url=service.url + "/metadata?api-version=1") == expected
    assert service.asked[0].headers["metadata"] == "true"
    assert service.asked[0].query == [("api-version", "1")]


@pytest.mark.parametrize(
    "reply",
    [
        Reply.of({}, 404), Reply(200, b"no json"), Reply.of([]), Reply.of({}), Reply(0),
        Reply.of({"TaskARN": 7, "compute": 7}), Reply.of({"TaskARN": "arn:x", "compute": {}}),
    ],
)  # fmt: skip
def test_whatever_else_answers_is_no_cloud_and_no_error(
    service: SignalFxService, reply: Reply
) -> None:
    service.answer = lambda _: reply
    url = service.url + "/x"
    assert get_aws_unique_id(ecs_url=url, ec2_url=url) is None
    assert get_gcp_id(url=url) is None
    assert get_azure_resource_id(url=url) is None


@pytest.mark.parametrize("url", [NOBODY, "http://no-such-host.invalid/", "nonsense"])
def test_off_the_cloud_there_is_no_id_and_no_error(url: str) -> None:
    assert get_aws_unique_id(0.2, ecs_url=url, ec2_url=url) is None
    assert get_gcp_id(0.2, url=url) is None
    assert get_azure_resource_id(0.2, url=url) is None


@pytest.mark.slow
def test_a_service_that_does_not_answer_is_left_in_time(service: SignalFxService) -> None:
    is_over = threading.Event()

    def answer(_: Asked) -> Reply:
        is_over.wait(20)
        return Reply()

    service.answer = answer
    begun = time.monotonic()
    assert get_aws_unique_id(0.1, ecs_url=service.url, ec2_url=service.url) is None
    assert time.monotonic() - begun < 15
    is_over.set()


def test_start_up_does_not_wait_for_the_answer_and_points_carry_it_from_then_on(
    service: SignalFxService, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = threading.Event()

    def answer(one: Asked) -> Reply:
        if one.path == "/v2/datapoint":
            return Reply()
        may_answer.wait(20)
        return Reply.of({"TaskARN": "arn:aws:ecs:r:a:task/t"})

    service.answer = answer
    defaults: Any = {"ecs_url": service.url, "ec2_url": NOBODY}
    monkeypatch.setattr(get_aws_unique_id, "__kwdefaults__", defaults)
    for function in (get_gcp_id, get_azure_resource_id):
        monkeypatch.setattr(function, "__kwdefaults__", {"url": NOBODY})
    with ProtoBufSignalFxIngestClient("T", service.url) as client:
        thread = add_cloud_dimensions(client, 5)
        client.send(gauges=[{"metric": "before", "value": 1}])
        may_answer.set()
        thread.join(20)
        client.send(gauges=[{"metric": "after", "value": 1}])
    assert [(p["metric"], p.get("dimensions")) for p in service.points()] == [
        ("before", None), ("after", {cloud_ids.AWS_ID_DIMENSION: "t_r_a"}),
    ]  # fmt: skip
