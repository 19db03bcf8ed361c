"""Programs written for older instrumentation packages, running on this library unchanged.

`install()` once, before their imports: from then on `import wavefront_sdk`, for one, and its
submodules give this library's.
"""

from wf_instrument.compat.aliases import LEGACY_PACKAGES, install, uninstall

__all__ = ["LEGACY_PACKAGES", "install", "uninstall"]
