"""The id of this machine or task in AWS, GCP or Azure, as a dimension.

Off a cloud nobody answers; every question has a time-out, and none ever raises.

Threads: `add_cloud_dimensions` asks on a thread of its own, so that no start-up waits.
Source:
    The vendor's public agent, for the names of the dimensions and the form of the ids; the clouds'
    own documentation of their metadata services for the requests.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wf_instrument.guard import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wf_instrument.backends.signalfx.ingest_client import IngestClient

__all__ = [
    "AWS_ID_DIMENSION",
    "AZURE_ID_DIMENSION",
    "GCP_ID_DIMENSION",
    "add_cloud_dimensions",
    "cloud_dimensions",
    "get_aws_unique_id",
    "get_azure_resource_id",
    "get_gcp_id",
]

log = logging.getLogger(__name__)

AWS_ID_DIMENSION: Final = "AWSUniqueId"
GCP_ID_DIMENSION: Final = "gcp_id"
AZURE_ID_DIMENSION: Final = "azure_resource_id"
DEFAULT_TIMEOUT: Final = 1.0
#: Source: Amazon ECS, "Task metadata endpoint version 2" and "version 4".
ECS_METADATA_URL: Final = "http://169.254.170.2/v2/metadata"
_ECS_VARIABLE: Final = "ECS_CONTAINER_METADATA_URI_V4"
#: Source: Amazon EC2, "Instance identity documents" and "Use IMDSv2".
EC2_ID_URL: Final = "http://169.254.169.254/latest/dynamic/instance-identity/document"
_EC2_TOKEN_PATH: Final = "/latest/api/token"  # noqa: S105 - an address
_TTL_HEADER: Final = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER: Final = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
#: Source: Google Compute Engine, "About VM metadata".
GCP_METADATA_URL: Final = "http://metadata.google.internal/computeMetadata/v1"
_GCP_FLAVOR: Final = {"Metadata-Flavor": "Google"}
#: Source: Azure Instance Metadata Service.
AZURE_METADATA_URL: Final = "http://169.254.169.254/metadata/instance?api-version=2018-10-01"
_MAX_ANSWER: Final = 100_000


def get_aws_unique_id(
    timeout: float = DEFAULT_TIMEOUT, *, ecs_url: str | None = None, ec2_url: str = EC2_ID_URL
) -> str | None:
    """Return the id of the ECS task or EC2 instance, None when it is neither.

    Args:
        timeout: Seconds, for each of up to three requests.
        ecs_url: Where to ask for the task; by the environment when None.
        ec2_url: Where to ask for the instance.
    """
    task = _json(ecs_url or _ecs_url(), timeout)
    parts = str(task.get("TaskARN", "")).split(":", 5)
    if len(parts) == 6 and parts[5].startswith("task/"):
        # The present form of the ARN has the cluster in front of the id.
        return f"{parts[5].rpartition('/')[2]}_{parts[3]}_{parts[4]}"
    token_url = "{0.scheme}://{0.netloc}".format(urlsplit(ec2_url)) + _EC2_TOKEN_PATH
    _, token = _ask("PUT", token_url, timeout, {_TTL_HEADER: "60"})
    headers = {_TOKEN_HEADER: token.decode("ascii", "ignore").strip()} if token else {}
    found = _json(ec2_url, timeout, headers)
    names = ("instanceId", "region", "accountId")
    return "_".join(str(found[name]) for name in names) if all(map(found.get, names)) else None


def get_gcp_id(timeout: float = DEFAULT_TIMEOUT, *, url: str = GCP_METADATA_URL) -> str | None:
    """Return the project and instance id of a machine in GCP, None when it is none."""
    parts = []
    for path in ("/project/project-id", "/instance/id"):
        headers, body = _ask("GET", url + path, timeout, _GCP_FLAVOR)
        if headers.get("metadata-flavor") != "Google" or not body:
            return None
        parts.append(body.decode("utf-8", "replace").strip())
    return "_".join(parts)


def get_azure_resource_id(
    timeout: float = DEFAULT_TIMEOUT, *, url: str = AZURE_METADATA_URL
) -> str | None:
    """Return the resource id of a machine in Azure, None when it is none."""
    compute = _json(url, timeout, {"Metadata": "true"}).get("compute")
    if not isinstance(compute, dict):
        return None
    names = ("subscriptionId", "resourceGroupName", "name")
    subscription, group, name = (str(compute.get(key) or "") for key in names)
    if not (subscription and group and name):
        return None
    scale_set = str(compute.get("vmScaleSetName") or "")
    front = f"{subscription}/{group}/microsoft.compute"
    if scale_set:
        number = name.removeprefix(f"{scale_set}_")
        return f"{front}/virtualmachinescalesets/{scale_set}/virtualmachines/{number}".lower()
    return f"{front}/virtualmachines/{name}".lower()


def cloud_dimensions(timeout: float = DEFAULT_TIMEOUT) -> dict[str, str]:
    """Return the dimension of the cloud this runs in, empty off a cloud; asks all at once."""
    questions: dict[str, Callable[[float], str | None]] = {
        AWS_ID_DIMENSION: get_aws_unique_id,
        GCP_ID_DIMENSION: get_gcp_id,
        AZURE_ID_DIMENSION: get_azure_resource_id,
    }
    found: dict[str, str] = {}

    def ask(name: str) -> None:
        with guard("signalfx.cloud"):
            value = questions[name](timeout)
            if value is not None:
                found[name] = value

    threads = [
        threading.Thread(target=ask, args=(name,), name="wf-instrument-cloud", daemon=True)
        for name in questions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * timeout)
    return dict(found)


def add_cloud_dimensions(
    client: IngestClient, timeout: float = DEFAULT_TIMEOUT
) -> threading.Thread:
    """Have a client's points carry the id of the cloud, once it is known; returns at once.

    What is sent before the answer, a second or so, goes without it.
    """

    def add() -> None:
        with guard("signalfx.cloud"):
            found = cloud_dimensions(timeout)
            client.add_dimensions(found)
            log.debug("cloud dimensions: %s", ", ".join(found) or "none")

    thread = threading.Thread(target=add, name="wf-instrument-cloud", daemon=True)
    thread.start()
    return thread


def _ecs_url() -> str:
    base = os.environ.get(_ECS_VARIABLE)
    return f"{base}/task" if base else ECS_METADATA_URL


def _json(url: str, timeout: float, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    _, body = _ask("GET", url, timeout, headers or {})
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _ask(
    method: str, url: str, timeout: float, headers: Mapping[str, str]
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of an answer; nothing when there is none, or it is no success.

    Past every proxy: these addresses exist on this machine alone.
    """
    try:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, headers=dict(headers))
            answer = connection.getresponse()
            body = answer.read(_MAX_ANSWER)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        log.debug("no answer from %s: %s", url, type(error).__name__)
        return {}, b""
    if answer.status != http.client.OK:
        return {}, b""
    return {name.lower(): value for name, value in answer.getheaders()}, body
