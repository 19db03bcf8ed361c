"""What a service of the tests has: a state that other threads change and a test waits for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Changing:
    """Whoever changes the state holds `_changed` and notifies."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 10) -> bool:
        """Wait for a condition on what arrived; False when it does not come about."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)
