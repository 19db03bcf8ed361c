"""The sample applications run, and what they serve is recorded."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING

import pytest

import wf_instrument
from asgi_server import fetch, served_asgi
from flask_site import served
from wf_instrument.backends.local import StoreReader

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parents[2] / "sample_apps"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield tmp_path / "wf-instrument"
    wf_instrument.shutdown(5)


def recorded(store: Path) -> dict[tuple[str, str | None], int]:
    wf_instrument.shutdown(5)
    reader = StoreReader(store)
    try:
        return {(row.method, row.route): row.count for row in reader.summary()}
    finally:
        reader.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sample", "path", "answer", "route"),
    [
        pytest.param(
            "middleware_starlette.py", "/style/x-1/make", b"Shirts x-1 made.\n",
            "/style/{id:path}/make", id="starlette",
        ),
        pytest.param(
            "middleware_fastapi.py", "/style/1/make", b'"Shirts 1 made."',
            "/style/{number}/make", id="fastapi",
        ),
    ],
)  # fmt: skip
def test_an_asgi_sample_records_what_it_serves(
    state: Path, sample: str, path: str, answer: bytes, route: str
) -> None:
    app = run_path(str(SAMPLES / sample))["app"]
    with served_asgi(app) as port:
        assert fetch(port, path)[2] == answer
    assert recorded(state / "styling.db") == {("GET", route): 1}


def test_the_decorated_sample_records_its_decorated_view_alone(state: Path) -> None:
    app = run_path(str(SAMPLES / "decorated_views.py"))["app"]
    with served(app) as port:
        assert fetch(port, "/style/x-1/make")[2] == b"Shirts x-1 made.\n"
        assert fetch(port, "/")[2] == b"Not recorded.\n"
    assert recorded(state / "default.db") == {("GET", "/style/<path:id>/make"): 1}
