"""A ticker calls on time, outlives failures, ends when told, and runs in a forked child."""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref

import pytest

from wf_instrument.ticker import Ticker, end_all_tickers


class Calls:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.changed = threading.Condition()

    def __call__(self) -> None:
        with self.changed:
            self.times.append(time.monotonic())
            self.changed.notify_all()

    def wait_for(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.times) >= count, 10)


def test_it_calls_every_interval_and_not_before() -> None:
    calls, started = Calls(), time.monotonic()
    ticker = Ticker("test", calls, 0.02)
    assert not ticker.is_running
    ticker.start()
    ticker.start()
    assert calls.wait_for(3)
    ticker.close()
    count = len(calls.times)
    assert calls.times[2] - started >= 0.06
    ticker.start()
    ticker.close()
    assert not ticker.is_running
    assert len(calls.times) == count


def test_the_first_call_can_come_at_once() -> None:
    calls = Calls()
    ticker = Ticker("test", calls, 3600, first_after_s=0)
    ticker.start()
    assert calls.wait_for(1)
    ticker.close()


@pytest.mark.expects_caught
def test_a_call_that_fails_is_followed_by_the_next() -> None:
    calls = Calls()

    def fail() -> None:
        calls()
        raise OSError("on purpose")

    ticker = Ticker("test", fail, 0.001)
    ticker.start()
    assert calls.wait_for(3)
    ticker.close()


def test_closing_from_within_the_call_does_not_wait_for_itself() -> None:
    calls = Calls()

    def end() -> None:
        ticker.close()
        calls()

    ticker = Ticker("test", end, 0.001)
    ticker.start()
    assert calls.wait_for(1)
    assert not ticker.is_running


def test_closing_wakes_a_ticker_that_waits_for_long() -> None:
    ticker = Ticker("test", Calls(), 1e12)
    ticker.start()
    started = time.monotonic()
    ticker.close(60)
    assert time.monotonic() - started < 30


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_forked_child_ticks_too(is_kept: bool) -> None:
    calls = Calls()
    ticker = Ticker("test", calls, 0.02)
    ticker.start()
    reference, kept = weakref.ref(ticker), [ticker] if is_kept else []
    del ticker
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            calls.changed = threading.Condition()
            calls.times.clear()
            code = 0 if calls.wait_for(2) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    running = reference()
    assert running is not None
    running.close()
    assert kept == ([running] if is_kept else [])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_ticker_that_did_not_run_does_not_run_in_the_child_either() -> None:
    idle, closed = Ticker("test", Calls(), 3600), Ticker("test", Calls(), 3600)
    closed.start()
    closed.close()
    pid = os.fork()
    if pid == 0:
        os._exit(int(idle.is_running or closed.is_running))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_all_tickers_end_together_and_with_the_calls_under_way() -> None:
    begun, go_on = threading.Barrier(4), threading.Event()
    ended: list[int] = []

    def call(number: int) -> None:
        begun.wait(10)
        go_on.wait(10)
        ended.append(number)

    tickers = [
        Ticker(f"test-{n}", functools.partial(call, n), 3600, first_after_s=0) for n in range(3)
    ]
    for ticker in tickers:
        ticker.start()
    begun.wait(10)
    end_all_tickers(0.01)  # no longer than that
    assert ended == []
    go_on.set()
    end_all_tickers(0)
    others = [Ticker("test", functools.partial(ended.append, n), 0) for n in (7, 8)]
    for ticker in others:
        ticker.start()
    end_all_tickers(10)
    count = ended.count(7), ended.count(8)
    assert not any(ticker.is_running for ticker in (*tickers, *others))
    assert (ended.count(7), ended.count(8)) == count
