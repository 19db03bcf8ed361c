"""The sample that does not know the library, started as its first lines tell."""

from __future__ import annotations

import http.client
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from run_server import RunServer, rows

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).parents[2] / "sample_apps"


def asked_for_items(folder: Path, command: str) -> Counter[tuple[object, ...]]:
    with RunServer(command, folder, apps=SAMPLES, options="--service shop") as server:
        for method, path, answer in [
            ("GET", "/items/7", b"item 7\n"),
            ("POST", "/items", b"added\n"),
        ] * 5:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request(method, path)
            assert connection.getresponse().read() == answer
            connection.close()
        server.end()
        counts: Counter[tuple[object, ...]] = Counter()
        for row in rows(server.file):
            tags = row["application_tags"]
            assert isinstance(tags, dict)
            key = (tags["service"], row["method"], row["route"], row["status"])
            counts[key] += int(str(row["count"]))
    return counts


@pytest.mark.slow
@pytest.mark.side_by_side(run=asked_for_items)
@pytest.mark.parametrize(
    "command",
    [
        "gunicorn --bind 127.0.0.1:PORT --workers 4 no_code_change:app",
        "flask --app no_code_change.py run --port PORT",
    ],
    ids=["gunicorn", "flask"],
)
def test_each_request_of_the_sample_without_a_code_change_is_recorded(
    command: str, outcome: Callable[[], Counter[tuple[object, ...]]]
) -> None:
    assert "wf_instrument" not in (SAMPLES / "no_code_change.py").read_text().split('"""')[2]
    assert outcome() == {
        ("shop", "GET", "/items/<int:number>", 200): 5,
        ("shop", "POST", "/items", 201): 5,
    }
