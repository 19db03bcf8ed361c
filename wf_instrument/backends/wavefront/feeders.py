"""What keeps data that a client is to send: asked for them before the client closes.

Threads: any.
Fork: the child keeps the feeders, which see to their own data.
"""

from __future__ import annotations

import weakref
from typing import Protocol

from wf_instrument.guard import guard

__all__ = ["Feeder", "Feeders", "feed"]


class Feeder(Protocol):
    """Keeps data that are to be sent through a client."""

    def hand_over(self) -> None:
        """Send them: the client is about to close."""


def feed(client: object, feeder: Feeder) -> None:
    """Have a client ask a feeder before it closes; one of the user's own making may not ask."""
    feed_from = getattr(client, "feed_from", None)
    if feed_from is not None:
        feed_from(feeder)


class Feeders:
    """The feeders of one client, each as long as somebody else keeps it."""

    def __init__(self) -> None:
        self._all: weakref.WeakSet[Feeder] = weakref.WeakSet()

    def add(self, feeder: Feeder) -> None:
        """Ask this one too."""
        self._all.add(feeder)

    def hand_over(self) -> None:
        """Have all of them send what they keep; a failure of one keeps none of the others."""
        for feeder in list(self._all):
            with guard("wavefront.close"):
                feeder.hand_over()
