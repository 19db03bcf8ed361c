"""SignalFx: ingest of data points and events, metadata, SignalFlow, and reporters.

The REST client and SignalFlow over WebSocket need `wf-instrument[signalfx]` when they are used.
"""

from wf_instrument.backends.signalfx.cloud_ids import (
    AWS_ID_DIMENSION,
    add_cloud_dimensions,
    cloud_dimensions,
    get_aws_unique_id,
    get_azure_resource_id,
    get_gcp_id,
)
from wf_instrument.backends.signalfx.constants import realm_endpoint
from wf_instrument.backends.signalfx.entry import SignalFx
from wf_instrument.backends.signalfx.ingest_client import (
    JsonSignalFxIngestClient,
    ProtoBufSignalFxIngestClient,
)
from wf_instrument.backends.signalfx.pyformance_registry import DimensionedRegistry
from wf_instrument.backends.signalfx.pyformance_reporter import SignalFxReporter
from wf_instrument.backends.signalfx.reporter_factory import from_url
from wf_instrument.backends.signalfx.request_reporter import SignalFxPipelineReporter
from wf_instrument.backends.signalfx.rest import SignalFxRestClient
from wf_instrument.backends.signalfx.signalflow import SignalFlowClient

__all__ = [
    "AWS_ID_DIMENSION",
    "DimensionedRegistry",
    "JsonSignalFxIngestClient",
    "ProtoBufSignalFxIngestClient",
    "SignalFlowClient",
    "SignalFx",
    "SignalFxPipelineReporter",
    "SignalFxReporter",
    "SignalFxRestClient",
    "add_cloud_dimensions",
    "cloud_dimensions",
    "from_url",
    "get_aws_unique_id",
    "get_azure_resource_id",
    "get_gcp_id",
    "realm_endpoint",
]
