"""Servers of several tests run side by side: most of their time is waiting."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_AT_A_TIME: Final = 1 + (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def _begun(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    begun: dict[str, Future[Any]] = {}
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        # In their order: a test waits for its own, while the next ones run.
        for item in request.session.items:
            mark = item.get_closest_marker("side_by_side")
            if mark is not None and isinstance(item, pytest.Function):
                folder = tmp_path_factory.mktemp("beside")
                given = item.callspec.params if hasattr(item, "callspec") else {}
                begun[item.nodeid] = pool.submit(mark.kwargs["run"], folder, **given)
        try:
            yield begun
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.fixture
def outcome(request: pytest.FixtureRequest, _begun: dict[str, Future[Any]]) -> Callable[[], Any]:
    """Return what the function of the test's mark `side_by_side` returned, or raise what it did.

    It runs in a thread, maybe long before the test, with a folder and the test's parameters.
    """
    return _begun[request.node.nodeid].result
