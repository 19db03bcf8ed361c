"""The buffer: bounded, in order, in batches of a count and a size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.sender import BoundedBuffer


@given(
    data=st.lists(st.text(max_size=20), max_size=60),
    capacity=st.integers(1, 50),
    batch_size=st.integers(1, 10),
    batch_bytes=st.integers(1, 60),
)
def test_batches_give_back_in_order_all_that_fitted(
    data: list[str], capacity: int, batch_size: int, batch_bytes: int
) -> None:
    buffer = BoundedBuffer(capacity, batch_size, batch_bytes)
    taken = [datum for datum in data if buffer.offer(datum)]
    assert taken == data[:capacity]
    given_back = []
    while buffer:
        batch = buffer.front()
        assert batch == buffer.front()
        size = sum(len(datum.encode("utf-8", "replace")) for datum in batch)
        assert len(batch) == 1 or (len(batch) <= batch_size and size <= batch_bytes)
        buffer.settle(len(batch))
        given_back += batch
    assert given_back == taken
    assert buffer.settled == buffer.accepted == len(taken)


def test_an_empty_buffer_is_never_half_full_and_one_of_one_datum_is() -> None:
    buffer = BoundedBuffer(1, 10, 10)
    assert not buffer.is_half_full
    buffer.offer("a")
    assert buffer.is_half_full


def test_clearing_tells_how_many_were_left() -> None:
    buffer = BoundedBuffer(5, 2, 10)
    for datum in "abc":
        buffer.offer(datum)
    assert (buffer.clear(), len(buffer), buffer.settled) == (3, 0, 3)
