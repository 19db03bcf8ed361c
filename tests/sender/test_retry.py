"""What is done about a failed batch, and how long it is waited."""

from __future__ import annotations

import pytest

from wf_instrument.errors import SendError
from wf_instrument.sender.retry import Backoff, Remedy, remedy_for


@pytest.mark.parametrize("status", [None, 302, 401, 403, 404, 408, 429, 500, 503])
def test_good_data_keep_their_place_whatever_is_wrong_with_the_receiver(
    status: int | None,
) -> None:
    error = SendError("x", status=status)
    assert remedy_for(error, 1) is remedy_for(error, 10) is Remedy.RETRY


@pytest.mark.parametrize("status", [400, 406, 413])
def test_a_refused_batch_is_split_down_to_the_datum_that_is_dropped(status: int) -> None:
    error = SendError("x", status=status)
    assert remedy_for(error, 2) is Remedy.SPLIT
    assert remedy_for(error, 1) is Remedy.DROP


def test_pauses_double_within_their_jitter_up_to_a_minute_and_begin_anew() -> None:
    backoff = Backoff()
    pauses = [backoff.next_pause_s(None) for _ in range(12)]
    expected = [min(0.5 * 2**n, 60.0) for n in range(12)]
    assert all(0.75 * e <= p <= 1.25 * e for p, e in zip(pauses, expected, strict=True))
    backoff.reset()
    assert backoff.next_pause_s(None) <= 0.5 * 1.25


def test_the_receivers_own_pause_is_a_minimum_within_reason() -> None:
    assert Backoff().next_pause_s(30.0) == 30.0
    assert Backoff().next_pause_s(1e9) == 600.0
