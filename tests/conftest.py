"""What every test gets: settings of its own, and no failure swallowed without being expected."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

from recorded import burnt
from wf_instrument.guard import errors_caught
from wf_instrument.speed import use_short_cuts, use_twins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# No example is held against the clock: a busy machine may stand still in any of them.
hypothesis.settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        # Examples of one test may share its folder and its servers.
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Have Ctrl-C work in the programs that tests start, wherever the tests run.

    What a shell script starts in the background ignores it, and so do all its children.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
def _nothing_burnt() -> None:
    burnt.clear()


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
