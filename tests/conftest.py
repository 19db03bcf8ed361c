"""What every test gets: settings of its own, and no failure swallowed without being expected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wf_instrument.guard import errors_caught
from wf_instrument.speed import use_short_cuts, use_twins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the developer's variables, settings file and local stores out of the tests."""
    for name in list(os.environ):
        # Which twin is tested is said by who runs the tests.
        if name.startswith(("WF_", "OTEL_")) and name != "WF_PURE_PYTHON":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    # Suites that run at the same time would take worker slots from each other.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))


@pytest.fixture(autouse=True)
def _nothing_caught(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which the guard at the border caught something, unless it is expected."""
    before = dict(errors_caught)
    yield
    new = {where: n for where, n in errors_caught.items() if n != before.get(where, 0)}
    if request.node.get_closest_marker("expects_caught") is None:
        assert not new, f"kept from the application, but not expected: {new}"


@pytest.fixture
def in_python() -> Iterator[None]:
    """Have the twins in Python run, for tests that put something in the place of their parts."""
    use_twins()
    yield
    use_short_cuts()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
