"""`wavefront_sdk`: the sender of Wavefront data."""

from wf_instrument._version import __version__
from wf_instrument.compat.wavefront_sdk import (
    auth,
    client,
    client_factory,
    common,
    direct,
    entities,
    multi_clients,
    proxy,
)
from wf_instrument.compat.wavefront_sdk.client_factory import WavefrontClientFactory

__all__ = [
    "WavefrontClientFactory",
    "__version__",
    "auth",
    "client",
    "client_factory",
    "common",
    "direct",
    "entities",
    "multi_clients",
    "proxy",
]
