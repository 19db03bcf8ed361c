"""`wavefront_sdk.common.constants`.

Source:
    Wavefront SDK, the module of this name.
"""

from typing import Final

from wf_instrument.backends.wavefront.client_constants import ClientConstants
from wf_instrument.backends.wavefront.heartbeater import HEART_BEAT_METRIC
from wf_instrument.backends.wavefront.request_reporter import (
    PROVIDED_SOURCE as WAVEFRONT_PROVIDED_SOURCE,
)
from wf_instrument.backends.wavefront.span_lines import SPAN_LOG_KEY
from wf_instrument.identity import NO_VALUE as NULL_TAG_VAL
from wf_instrument.metrics.delta_counter import DELTA_PREFIXES

__all__ = [
    "APPLICATION_TAG_KEY",
    "CLUSTER_TAG_KEY",
    "COMPONENT_TAG_KEY",
    "DELTA_PREFIX",
    "DELTA_PREFIX_2",
    "HEART_BEAT_INTERVAL",
    "HEART_BEAT_METRIC",
    "NO_HTTP_RESPONSE",
    "NULL_TAG_VAL",
    "SDK_METRIC_PREFIX",
    "SERVICE_TAG_KEY",
    "SHARD_TAG_KEY",
    "SOURCE_KEY",
    "SPAN_LOG_KEY",
    "WAVEFRONT_HISTOGRAM_FORMAT",
    "WAVEFRONT_METRIC_FORMAT",
    "WAVEFRONT_PROVIDED_SOURCE",
    "WAVEFRONT_SDK_PYTHON",
    "WAVEFRONT_TRACING_SPAN_FORMAT",
]

WAVEFRONT_METRIC_FORMAT: Final = ClientConstants.WAVEFRONT_METRIC_FORMAT
WAVEFRONT_HISTOGRAM_FORMAT: Final = ClientConstants.WAVEFRONT_HISTOGRAM_FORMAT
WAVEFRONT_TRACING_SPAN_FORMAT: Final = ClientConstants.WAVEFRONT_TRACING_SPAN_FORMAT

DELTA_PREFIX: Final = DELTA_PREFIXES[0]
DELTA_PREFIX_2: Final = DELTA_PREFIXES[1]

SOURCE_KEY: Final = "source"
APPLICATION_TAG_KEY: Final = "application"
CLUSTER_TAG_KEY: Final = "cluster"
SERVICE_TAG_KEY: Final = "service"
SHARD_TAG_KEY: Final = "shard"
COMPONENT_TAG_KEY: Final = "component"

#: As programs know it; heartbeats are sent every five minutes.
HEART_BEAT_INTERVAL: Final = 10
SDK_METRIC_PREFIX: Final = "~sdk.python"
WAVEFRONT_SDK_PYTHON: Final = "wavefront-sdk-python"
NO_HTTP_RESPONSE: Final = -1
