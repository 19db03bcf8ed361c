"""The corners of WSGI under gunicorn, whose workers are processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from contract_cases import key_of
from contract_client import Connection, exchange
from contract_site import EXCHANGES
from contract_sites.table import SITES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract_site import Site

#: It refuses headers of 10 kB before we see them.
CORNERS: Final = sorted(EXCHANGES.keys() - {"10 kB header", "forged trace headers"})
TESTS: Final = Path(__file__).parents[1]


@contextmanager
def gunicorn(application: str) -> Iterator[int]:
    """Run two workers of two threads until the block ends; yield the port."""
    command = [
        sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0",
        "--workers", "2", "--threads", "2", "--graceful-timeout", "5", application,
    ]  # fmt: skip
    # Werkzeug names allowed methods in the order of a set.
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    process = subprocess.Popen(command, cwd=TESTS, env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log = []
    try:
        for line in process.stderr:
            log.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                yield int(found[1])
                break
        else:
            raise AssertionError("".join(log))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def answers(port: int, corners: list[str]) -> dict[str, bytes]:
    deadline = time.monotonic() + 20
    while True:
        try:
            Connection(port).close()
            break
        except ConnectionRefusedError:  # the log line comes before the first accept
            assert time.monotonic() < deadline
    return {corner: exchange(port, EXCHANGES[corner]) for corner in corners}


@pytest.mark.slow
@pytest.mark.parametrize(
    "site", [site for site in SITES if site.interface == "wsgi"], ids=lambda site: site.name
)
def test_the_answers_are_the_same_and_each_is_recorded_once(site: Site, tmp_path: Path) -> None:
    corners = [corner for corner in CORNERS if corner in site.records]
    file = tmp_path / "records.jsonl"
    kind = type(site)
    where = f"{kind.__module__!r}, {kind.__name__!r}"
    with gunicorn(f"contract_gunicorn:plain({where})") as port:
        plain = answers(port, corners)
    with gunicorn(f"contract_gunicorn:ours({where}, 'file://{file}')") as port:
        ours = answers(port, corners)
    assert ours == plain
    recorded: Counter[tuple[object, ...]] = Counter()
    for line in file.read_text().splitlines():
        row = json.loads(line)
        if row["kind"] == "request":
            key = ("route", "func", "method", "status", "outcome", "error_type")
            recorded[tuple(row[name] for name in key)] += row["count"]
    assert recorded == Counter(key_of(site.records[corner]) for corner in corners)
