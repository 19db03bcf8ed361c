"""The two borders: between the library and the application, between a parent and its child."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught, errors_caught

if TYPE_CHECKING:
    from collections.abc import Callable


class Owner:
    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        reset_after_fork(self.reset)

    def reset(self) -> None:
        self._action()


def fail() -> None:
    raise RuntimeError("on purpose")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_one_hook_that_fails_keeps_no_other_from_running() -> None:
    ran: list[int] = []
    owners = [Owner(lambda: ran.append(1)), Owner(fail), Owner(lambda: ran.append(2))]
    child = os.fork()
    if child == 0:
        os._exit(0 if ran == [1, 2] else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert ran == []
    assert owners


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_an_owner_that_is_gone_is_not_reset() -> None:
    ran: list[int] = []
    owner = Owner(lambda: ran.append(1))
    del owner
    child = os.fork()
    if child == 0:
        os._exit(len(ran))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.expects_caught
def test_a_log_handler_that_raises_does_not_reach_the_application() -> None:
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("on purpose")

    handler = Raising()
    logger = logging.getLogger("wf_instrument")
    logger.addHandler(handler)
    before = errors_caught["test.handler"]
    try:
        caught("test.handler", ValueError("x"))
    finally:
        logger.removeHandler(handler)
    assert errors_caught["test.handler"] == before + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_owners_that_come_and_go_do_not_pile_up_and_those_that_stay_are_reset() -> None:
    ran: list[int] = []
    kept = [Owner(lambda: ran.append(1)) for _ in range(300)]
    for _ in range(3000):
        Owner(fail)
    kept += [Owner(lambda: ran.append(2)) for _ in range(300)]
    child = os.fork()
    if child == 0:
        os._exit(0 if ran == [1] * 300 + [2] * 300 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(kept) == 600
