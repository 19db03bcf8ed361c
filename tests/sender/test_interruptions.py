"""What comes in between: signals, Ctrl-C and finalizers leave a buffer that adds up."""

from __future__ import annotations

import _thread
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from wf_instrument.errors import SendError
from wf_instrument.sender import Batch, BatchSender, SenderLimits, bounded_buffer
from wf_instrument.sender.bounded_buffer import BoundedBuffer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Interruption:
    """Raises KeyboardInterrupt at one instruction of a module, as Ctrl-C may at any."""

    def __init__(self, path: str | None, at: int) -> None:
        self.path = path
        self.left = at

    def __call__(self, frame: FrameType, event: str, argument: object) -> Interruption | None:
        if frame.f_code.co_filename != self.path:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    def strike(self, call: Callable[[], object]) -> bool:
        """Return whether the call was interrupted."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False


@pytest.mark.slow
@pytest.mark.parametrize("capacity_left", [1, 0], ids=["loose", "packed"])
def test_an_interruption_anywhere_leaves_a_buffer_that_adds_up(capacity_left: int) -> None:
    # The first run of Python 3.12 that asks for single instructions is not given them.
    Interruption(bounded_buffer.__file__, 0).strike(lambda: BoundedBuffer(1, 9, 1, 9).offer("x"))
    for at in range(1, 10_000):
        buffer = BoundedBuffer(100, 10_000, 4, 1000)
        data = [f"{number}é" for number in range(9)]
        for datum in data[: 7 - capacity_left]:
            buffer.offer(datum)
        out = buffer.take()
        last = data[7 - capacity_left]
        was_struck = Interruption(bounded_buffer.__file__, at).strike(lambda: buffer.offer(last))  # noqa: B023 - called at once
        assert buffer.offer(data[8])
        buffer.put_back(out)
        found: list[str] = []
        while buffer.has_more:
            batch = buffer.take()
            found += batch.texts()
            buffer.settle(batch)
        assert [datum for datum in found if datum != last] == [*data[: 7 - capacity_left], data[8]]
        assert found.count(last) <= 1
        assert (len(buffer), buffer.byte_size) == (0, 0), at
        if not was_struck:
            assert at > 20
            return
    raise AssertionError("never came to the end")


class Nosy(str):
    """A text that does something when its length is asked for, as a finalizer may at any time."""

    __slots__ = ("hooks",)
    hooks: list[Callable[[], object]]

    def __len__(self) -> int:
        if self.hooks:
            self.hooks.pop()()
        return super().__len__()


def test_what_a_finalizer_offers_while_the_buffer_packs_is_kept() -> None:
    buffer = BoundedBuffer(100, 10_000, 2, 1000)
    datum = Nosy("a")
    # Asked when it is offered, and again when it is packed.
    datum.hooks = [lambda: buffer.offer("from a finalizer"), lambda: None]
    assert buffer.offer(datum)
    assert buffer.offer("b")
    found: list[str] = []
    while buffer.has_more:
        batch = buffer.take()
        found += batch.texts()
        buffer.settle(batch)
    assert sorted(found) == ["a", "b", "from a finalizer"]
    assert (len(buffer), buffer.byte_size) == (0, 0)


def interrupted_flush(sender: BatchSender) -> None:
    for _ in range(100):
        sender.flush(10)


def test_a_flush_that_ctrl_c_ends_flushes_no_more() -> None:
    tries: list[float] = []

    def refuse(kind: str, batch: Batch, timeout_s: float | None) -> None:
        tries.append(time.monotonic())
        raise SendError("busy", status=429, retry_after_s=0.01)

    limits = SenderLimits(flush_interval_s=3600, first_pause_s=600)
    sender = BatchSender("test", "a", refuse, limits)
    sender.put("a", "1")
    while not tries:
        sender.flush(0.05)
    threading.Timer(0.02, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        interrupted_flush(sender)
    threading.Event().wait(0.05)
    count = len(tries)
    threading.Event().wait(0.1)
    assert len(tries) == count  # as the pause of ten minutes says
    sender.close(0)


def test_a_datum_that_can_never_fit_is_refused_at_once() -> None:
    limits = SenderLimits(queue_bytes=10, block_s=30, flush_interval_s=3600)
    sender = BatchSender("test", "a", lambda *_: None, limits)
    began = time.monotonic()
    assert not sender.put("a", "x" * 11)
    assert time.monotonic() - began < 5
    sender.close(0)
    assert sender.counts["a"].refused == 1
