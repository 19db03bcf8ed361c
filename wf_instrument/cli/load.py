"""Real HTTP load for the demo: several keep-alive clients, a weighted mix, exact counts.

Threads: `CLIENTS` threads send; `_lock` guards the counts.
"""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LoadDriver", "Visit"]

CLIENTS: Final = 6
#: Requests a second over all clients, small enough for a two-core machine to keep up.
RATE_PER_S: Final = 200.0

#: A variable of a Flask rule, `<int:number>`.
_CONVERTER: Final = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Visit:
    """One kind of request: what it asks for, the route it should match, and its weight."""

    method: str
    path: Callable[[random.Random], str]
    route: str
    weight: float
    body_bytes: int = 0


VISITS: Final = (
    Visit("GET", lambda r: "/", "/", 30),
    Visit("GET", lambda r: f"/styles/{r.randrange(1000)}", "/styles/<int:number>", 30),
    Visit("GET", lambda r: "/search?q=shirt", "/search", 14),
    Visit("GET", lambda r: f"/reports/{r.randrange(50)}", "/reports/<name>", 8),
    Visit("GET", lambda r: "/export.csv", "/export.csv", 4),
    Visit("POST", lambda r: "/orders", "/orders", 10, body_bytes=300),
    Visit("GET", lambda r: f"/wp-admin/{r.randrange(20)}.php", "UNKNOWN", 4),
)


class LoadDriver:
    """Sends requests until told to stop, and counts every answer.

    Args:
        port: Of the server on 127.0.0.1.
        framework: Of the shop; each spells templates in its own way.

    Attributes:
        sent: Answers by (method, route, status).
        failed: Requests that got no answer.
    """

    def __init__(self, port: int, framework: str = "flask") -> None:
        self.sent: Counter[tuple[str, str, int]] = Counter()
        self.failed = 0
        self._port = port
        self._is_flask = framework == "flask"
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(seed,), name=f"load-{seed}", daemon=True)
            for seed in range(CLIENTS)
        ]

    @property
    def answers(self) -> int:
        """How many answers came so far."""
        with self._lock:
            return self.sent.total()

    def start(self) -> None:
        """Begin sending."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing new and wait for the answers under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        rolls = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        weights = [visit.weight for visit in VISITS]
        pause_s = CLIENTS / RATE_PER_S
        due_s = time.monotonic() + rolls.random() * pause_s
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + rolls.expovariate(1 / pause_s), time.monotonic() - 1)
            (visit,) = rolls.choices(VISITS, weights)
            self._send(connection, visit, visit.path(rolls))
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, visit: Visit, path: str) -> None:
        try:
            was_open = connection.sock is not None
            try:
                status = self._ask(connection, visit, path)
            except ConnectionError:
                if not was_open:
                    raise
                # A server may close a connection between two requests; the visitor opens another.
                connection.close()
                status = self._ask(connection, visit, path)
        except (OSError, http.client.HTTPException):
            connection.close()
            with self._lock:
                self.failed += 1
            return
        route = visit.route if self._is_flask else _CONVERTER.sub(r"{\1}", visit.route)
        with self._lock:
            self.sent[visit.method, route, status] += 1

    def _ask(self, connection: http.client.HTTPConnection, visit: Visit, path: str) -> int:
        """Return the status of the answer."""
        connection.request(visit.method, path, b"x" * visit.body_bytes or None)
        answer = connection.getresponse()
        answer.read()
        return answer.status
