"""Apptuit's API on 127.0.0.1: keeps the rows it is sent, and answers as it is told."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from loopback import Answer, LoopbackReceiver, Received

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = Answer(200)
REFUSED = Answer(
    400,
    body=json.dumps(
        {
            "success": 1,
            "failed": 1,
            "errors": [{"datapoint": {"metric": "bad"}, "error": "no good"}],
        }
    ).encode(),
)


class ApptuitService(LoopbackReceiver):
    """Answers `answers` one after the other, then 200.

    Args:
        answers: What to answer first.
    """

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self._answers = deque(answers)
        super().__init__(lambda _: self._answers.popleft() if self._answers else OK)

    @property
    def requests(self) -> list[Received]:
        """All requests, in no order between those taken and those refused."""
        return [*self.refused, *self.received]

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that were taken, in order."""
        return [row for one in self.received for row in json.loads(one.body)]

    def rows_of(self, path: str) -> list[dict[str, Any]]:
        """Return the rows that were posted to a path."""
        return [
            row
            for one in self.received
            if one.target.startswith(path)
            for row in json.loads(one.body)
        ]

    def values(self) -> dict[str, float]:
        """Return the last value taken of each metric."""
        return {row["metric"]: row["value"] for row in self.rows()}
