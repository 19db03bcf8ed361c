"""CPU time of one coroutine: the sum over its own steps, whatever else its loop runs."""

from __future__ import annotations

import types
from threading import get_ident
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from wf_instrument.web.request import RequestRecord

__all__ = ["metered"]

_T = TypeVar("_T")


@types.coroutine
def metered(coroutine: Coroutine[Any, Any, _T], request: RequestRecord) -> Generator[Any, Any, _T]:
    """Drive `coroutine`, adding the CPU time of its steps to the request.

    Steps in the request's own thread are not added: its thread clock already counts them.
    """
    send: Any = coroutine.send
    argument: Any = None
    while True:
        is_elsewhere = get_ident() != request.thread_id
        begun_ns = thread_time_ns() if is_elsewhere else 0
        try:
            awaited = send(argument)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # the coroutine's own result
        finally:
            if is_elsewhere:
                request.extra_cpu_ns += thread_time_ns() - begun_ns
        try:
            argument = yield awaited
            send = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # noqa: BLE001 - thrown into the coroutine, as by await
            argument = error
            send = coroutine.throw
