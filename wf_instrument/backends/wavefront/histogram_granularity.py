"""How long a distribution lasts in the service, as it leads a histogram line.

Source:
    Wavefront data format, "Histogram distributions".
"""

from typing import Final

__all__ = ["DAY", "HOUR", "MINUTE"]

MINUTE: Final = "!M"
HOUR: Final = "!H"
DAY: Final = "!D"
