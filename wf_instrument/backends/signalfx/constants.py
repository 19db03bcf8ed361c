"""Addresses, limits and names of the service.

Source:
    The Python client `signalfx` 1.1.16, `signalfx.constants`, and the vendor's developer pages.
"""

from __future__ import annotations

import re
from typing import Final

from wf_instrument._version import __version__
from wf_instrument.errors import ConfigError

__all__ = [
    "DEFAULT_API_ENDPOINT",
    "DEFAULT_BATCH_SIZE",
    "DEFAULT_INGEST_ENDPOINT",
    "DEFAULT_STREAM_ENDPOINT",
    "DEFAULT_TIMEOUT",
    "INTEGER_MAX",
    "INTEGER_MIN",
    "SUPPORTED_EVENT_CATEGORIES",
    "USER_AGENT",
    "realm_endpoint",
]

DEFAULT_INGEST_ENDPOINT: Final = "https://ingest.signalfx.com"
DEFAULT_API_ENDPOINT: Final = "https://api.signalfx.com"
DEFAULT_STREAM_ENDPOINT: Final = "https://stream.signalfx.com"
#: Data points of one request.
DEFAULT_BATCH_SIZE: Final = 300
#: Seconds.
DEFAULT_TIMEOUT: Final = 5
INTEGER_MAX: Final = 2**63 - 1
INTEGER_MIN: Final = -(2**63)
SUPPORTED_EVENT_CATEGORIES: Final = [
    "ALERT",
    "AUDIT",
    "COLLECTD",
    "EXCEPTION",
    "JOB",
    "SERVICE_DISCOVERY",
    "USER_DEFINED",
]
USER_AGENT: Final = f"wf-instrument/{__version__}"

_REALM: Final = re.compile(r"[a-z][a-z0-9-]*\Z")


def realm_endpoint(service: str, realm: str) -> str:
    """Return the address of a service of a realm.

    Args:
        service: `ingest`, `api` or `stream`.
        realm: `us0`, `eu0`, ...

    Raises:
        ConfigError: The realm is no name of one.
    """
    if not _REALM.match(realm):
        raise ConfigError(f"realm {realm!r} is no name of a realm; give us0, us1, eu0, ...")
    return f"https://{service}.{realm}.signalfx.com"
