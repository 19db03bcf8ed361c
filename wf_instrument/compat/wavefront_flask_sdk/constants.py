"""`wavefront_flask_sdk.constants`.

Source:
    Wavefront Flask SDK, README, "Out of the box metrics and histograms".
"""

from typing import Final

from wf_instrument.compat.wavefront_sdk.common.constants import (
    APPLICATION_TAG_KEY,
    CLUSTER_TAG_KEY,
    COMPONENT_TAG_KEY,
    HEART_BEAT_INTERVAL,
    HEART_BEAT_METRIC,
    NULL_TAG_VAL,
    SERVICE_TAG_KEY,
    SHARD_TAG_KEY,
    SOURCE_KEY,
    WAVEFRONT_PROVIDED_SOURCE,
)

__all__ = [
    "APPLICATION_TAG_KEY",
    "CLUSTER_TAG_KEY",
    "COMPONENT_TAG_KEY",
    "FLASK_COMPONENT",
    "HEART_BEAT_INTERVAL",
    "HEART_BEAT_METRIC",
    "NULL_TAG_VAL",
    "REPORTER_PREFIX",
    "REQUEST_PREFIX",
    "RESPONSE_PREFIX",
    "SERVICE_TAG_KEY",
    "SHARD_TAG_KEY",
    "SOURCE_KEY",
    "WAVEFRONT_PROVIDED_SOURCE",
]

FLASK_COMPONENT: Final = "flask"
REPORTER_PREFIX: Final = "flask."
REQUEST_PREFIX: Final = "request."
RESPONSE_PREFIX: Final = "response."
