"""What every test gets: settings of its own, and no failure swallowed without being expected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wf_instrument.guard import errors_caught

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the developer's variables, settings file and local stores out of the tests."""
    for name in list(os.environ):
        if name.startswith("WF_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def _nothing_caught(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which the guard at the border caught something, unless it is expected."""
    before = dict(errors_caught)
    yield
    new = {where: n for where, n in errors_caught.items() if n != before.get(where, 0)}
    if request.node.get_closest_marker("expects_caught") is None:
        assert not new, f"kept from the application, but not expected: {new}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
