"""CPU time of a request under an event loop: the sum over the steps of its own coroutines.

Threads: the steps of a request run in its loop's thread, one at a time; sync views that a
    framework hands to other threads add theirs by `charged`, through a list, since `+=` of two
    threads would lose some. Of `thread_marks` each thread has an entry of its own.
"""

from __future__ import annotations

import types
from threading import get_ident
from time import perf_counter_ns, thread_time_ns
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wf_instrument.guard import caught

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

__all__ = ["Stepping", "as_coroutine", "charge_so_far", "charged", "end_charge", "stepped"]

_T = TypeVar("_T")


class Stepping(Protocol):
    """What a driven request keeps of its steps.

    Attributes:
        is_stepping: Whether one of its coroutines is running just now.
        step_ns: Monotonic start of the step.
        step_cpu_ns: The thread's CPU time at the start of the step.
        longest_step_ns: The longest one so far.
        cpu_ns: CPU time of the steps that ended; no more after the last byte.
        thread_cpu_ns: CPU time of the work in other threads; None before there is some.
        thread_marks: CPU clocks up to which threads that work for it are charged, by thread.
        is_finished: Whether the last byte was sent.
    """

    is_stepping: bool
    step_ns: int
    step_cpu_ns: int
    longest_step_ns: int
    cpu_ns: int
    thread_cpu_ns: list[int] | None
    thread_marks: dict[int, int] | None
    is_finished: bool


@types.coroutine
def stepped(
    coroutine: Coroutine[Any, Any, _T], request: Stepping, *, is_begun: bool = False
) -> Generator[Any, Any, _T]:
    """Drive `coroutine`, metering its steps into the request.

    Args:
        coroutine: What to run; awaited as if by `await`.
        request: Where the figures go.
        is_begun: Whether the request has just read the clocks for the first step.
    """
    send: Any = coroutine.send
    argument: Any = None
    while True:
        if is_begun:
            is_begun = False
        else:
            request.step_ns = perf_counter_ns()
            if not request.is_finished:
                request.step_cpu_ns = thread_time_ns()
        request.is_stepping = True
        try:
            awaited = send(argument)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # the coroutine's own result
        finally:
            request.is_stepping = False
            held_ns = perf_counter_ns() - request.step_ns
            if held_ns > request.longest_step_ns:
                request.longest_step_ns = held_ns
            if not request.is_finished:
                request.cpu_ns += thread_time_ns() - request.step_cpu_ns
        try:
            argument = yield awaited
            send = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # noqa: BLE001 - thrown into the coroutine, as by await
            argument = error
            send = coroutine.throw


def as_coroutine(awaitable: Awaitable[_T]) -> Coroutine[Any, Any, _T]:
    """Return what an application gave as a coroutine, which is what it nearly always is."""
    if isinstance(awaitable, types.CoroutineType):
        return awaitable
    return _awaiting(awaitable)


async def _awaiting(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


def charged(function: Callable[..., _T], request: Stepping) -> Callable[..., _T]:
    """Return `function` such that the CPU time it takes in another thread is the request's.

    Called in the thread of the request.
    """
    if request.thread_cpu_ns is None:
        request.thread_cpu_ns = []
    if request.thread_marks is None:
        request.thread_marks = {}

    def metered(*args: Any, **kwargs: Any) -> _T:
        is_first = charge_so_far(request)
        try:
            return function(*args, **kwargs)
        finally:
            charge_so_far(request)
            if is_first:
                end_charge(request)

    return metered


def charge_so_far(request: Stepping) -> bool:
    """Charge the request what the calling thread has used since the last call. Never raises.

    Returns:
        Whether this was the first: nothing is charged, and the caller owes an `end_charge`.
    """
    try:
        parts, marks = request.thread_cpu_ns, request.thread_marks
        if parts is None or marks is None:
            parts = request.thread_cpu_ns = []
            marks = request.thread_marks = {}
        thread_id = get_ident()
        before_ns = marks.get(thread_id)
        now_ns = marks[thread_id] = thread_time_ns()
        if before_ns is None:
            return True
        parts.append(now_ns - before_ns)
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("steps.charge", error)
    return False


def end_charge(request: Stepping) -> None:
    """Charge the request no more for the calling thread. Never raises."""
    try:
        marks = request.thread_marks
        if marks is not None:
            marks.pop(get_ident(), None)
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("steps.charge", error)
