"""`wavefront_sdk`: the sender of Wavefront data; its authentication modules are not here yet."""

from wf_instrument._version import __version__
from wf_instrument.compat.wavefront_sdk import (
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
    "client",
    "client_factory",
    "common",
    "direct",
    "entities",
    "multi_clients",
    "proxy",
]
