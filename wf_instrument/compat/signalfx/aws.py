"""`signalfx.aws`."""

from wf_instrument.backends.signalfx.cloud_ids import (
    AWS_ID_DIMENSION,
    EC2_ID_URL,
    ECS_METADATA_URL,
    get_aws_unique_id,
)

DEFAULT_AWS_TIMEOUT = 1  # seconds

__all__ = [
    "AWS_ID_DIMENSION",
    "DEFAULT_AWS_TIMEOUT",
    "EC2_ID_URL",
    "ECS_METADATA_URL",
    "get_aws_unique_id",
]
