"""The version, alone in a module so that setup.cfg can read it without importing anything."""

from typing import Final

__version__: Final = "0.1.0"
