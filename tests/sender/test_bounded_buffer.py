"""The buffer: bounded, in order, in batches of a count and a size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wf_instrument.sender.batch import Batch, pack
from wf_instrument.sender.bounded_buffer import BoundedBuffer

TEXTS = st.lists(st.text(max_size=20), max_size=60)


def utf8(datum: str) -> str:
    return datum.encode("utf-8", "replace").decode()


@given(
    data=TEXTS,
    capacity=st.integers(1, 50),
    batch_size=st.integers(1, 10),
    batch_bytes=st.integers(1, 60),
    fails=st.sets(st.integers(0, 30)),
)
def test_batches_give_back_in_order_all_that_fitted_even_if_some_come_back(
    data: list[str], capacity: int, batch_size: int, batch_bytes: int, fails: set[int]
) -> None:
    buffer = BoundedBuffer(capacity, 10_000, batch_size, batch_bytes)
    taken = [datum for datum in data if buffer.offer(datum)]
    assert taken == data[:capacity]
    given_back = []
    tries = 0
    while buffer.has_more:
        batch = buffer.take()
        tries += 1
        if tries in fails:
            buffer.put_back(batch)
            continue
        assert len(batch) == 1 or (len(batch) <= batch_size and batch.byte_size <= batch_bytes)
        assert len(buffer) == len(taken) - len(given_back)
        buffer.settle(batch)
        given_back += batch.texts()
    assert given_back == [utf8(datum) for datum in taken]
    assert buffer.settled == buffer.accepted == len(taken)
    assert not buffer.take().count


@given(data=TEXTS)
def test_a_batch_splits_into_the_same_data(data: list[str]) -> None:
    batch = Batch([pack(data[:7]), pack(data[7:])])
    todo, seen = [batch], []
    while todo:
        part = todo.pop()
        if len(part) > 1:
            first, second = part.split()
            assert first.count + second.count == part.count
            todo += [second, first]
        else:
            seen += part.texts()
    assert seen == batch.texts() == [utf8(datum) for datum in data]
    assert batch.body == "".join(seen).encode()


def test_what_waits_is_bounded_by_bytes_too_until_it_is_settled() -> None:
    buffer = BoundedBuffer(100, 10, 5, 100)
    assert [buffer.offer("éé"), buffer.offer("x" * 9), buffer.offer("y" * 6)] == [1, 0, 2]
    batch = buffer.take()
    assert not buffer.offer("z" * 5)
    buffer.settle(batch)
    assert buffer.offer("z" * 5)


@pytest.mark.parametrize("capacity", [1, 3])
def test_what_is_on_its_way_takes_its_room(capacity: int) -> None:
    buffer = BoundedBuffer(capacity, 1000, 10, 1000)
    for _ in range(capacity):
        buffer.offer("a")
    buffer.take()
    assert (buffer.offer("b"), len(buffer), buffer.has_more) == (0, capacity, False)
