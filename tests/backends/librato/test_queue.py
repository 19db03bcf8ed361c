"""Queues: chunks, tags, delivery without loss and without repetition."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.backends.librato import Aggregator, Queue, exceptions

if TYPE_CHECKING:
    from librato_service import Call, LibratoService
    from wf_instrument.backends.librato import LibratoConnection


def sizes(service: LibratoService) -> list[tuple[str, int]]:
    found = []
    for one in service.calls:
        body = one.body
        lists = (body.get(name, []) for name in ("gauges", "counters", "measurements"))
        found.append((one.path, sum(map(len, lists))))
    return found


def test_three_hundred_fit_a_chunk_counters_and_gauges_together_tagged_apart(
    service: LibratoService, api: LibratoConnection
) -> None:
    queue = api.new_queue()
    for number in range(350):
        queue.add(f"m{number}", number, type="counter" if number % 2 else "gauge")
        queue.add(f"t{number}", number, tags={"a": "b"})
    assert service.calls == []
    queue.submit()
    assert sizes(service) == [
        ("metrics", 300), ("metrics", 50), ("measurements", 300), ("measurements", 50),
    ]  # fmt: skip
    assert Queue.MAX_MEASUREMENTS_PER_CHUNK == 300
    assert len(service.points) == len(service.measurements) == 350


def test_a_tagged_item_is_a_sum_of_one(service: LibratoService, api: LibratoConnection) -> None:
    queue = api.new_queue()
    queue.add_tagged("m", 5, tags={"a": "b"}, time=9)
    queue.submit()
    assert service.calls[0].body == {
        "measurements": [{"name": "m", "sum": 5, "count": 1, "time": 9, "tags": {"a": "b"}}]
    }


def test_a_queue_submits_by_itself_at_its_count(
    service: LibratoService, api: LibratoConnection
) -> None:
    queue = api.new_queue(auto_submit_count=3)
    for number in range(7):
        queue.add("m", number, **({"tags": {"a": "b"}} if number == 1 else {}))
    assert len(service.points) + len(service.measurements) == 6
    aggregator = Aggregator(api)
    aggregator.add("x", 1)
    aggregator.add("y", 1)
    queue.add_aggregator(aggregator)
    assert len(service.points) + len(service.measurements) == 9


@pytest.mark.slow
def test_a_queue_submits_by_itself_after_its_interval(
    service: LibratoService, api: LibratoConnection
) -> None:
    with api.new_queue(auto_submit_interval=0.05) as queue:
        queue.add("m", 1)
        deadline = time.monotonic() + 10
        while not service.points and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert len(service.points) == 1


def test_the_end_of_a_with_block_submits(service: LibratoService, api: LibratoConnection) -> None:
    with api.new_queue() as queue:
        queue.add("m", 1)
    assert len(service.points) == 1


def test_an_exception_in_a_with_block_submits_and_passes(
    service: LibratoService, api: LibratoConnection
) -> None:
    with pytest.raises(KeyError), api.new_queue() as queue:  # noqa: PT012 - what comes before counts
        queue.add("m", 1)
        raise KeyError
    assert len(service.points) == 1


@pytest.mark.parametrize(
    ("connection_tags", "queue_tags", "arguments", "tags"),
    [
        ({"a": "c", "c": "c"}, {"a": "q", "q": "q"}, {}, {"a": "q", "c": "c", "q": "q"}),
        ({"c": "c"}, {}, {}, {"c": "c"}),
        ({"c": "c"}, {"q": "q"}, {"tags": {"m": "m"}}, {"m": "m"}),
        (
            {"a": "c", "c": "c"},
            {"a": "q"},
            {"tags": {"a": "m"}, "inherit_tags": True},
            {"a": "m", "c": "c"},
        ),
        ({"c": "c"}, {"q": "q"}, {"tags": {}}, {"c": "c", "q": "q"}),
        ({"c": "c"}, {"q": "q"}, {"tags": {"m": "m"}, "inherit_tags": False}, {"m": "m"}),
        ({"c": "c"}, {"q": "q"}, {"inherit_tags": True}, {"c": "c", "q": "q"}),
    ],
)
def test_measurement_wins_over_queue_over_connection(
    service: LibratoService,
    api: LibratoConnection,
    connection_tags: dict[str, str],
    queue_tags: dict[str, str],
    arguments: dict[str, Any],
    tags: dict[str, str],
) -> None:
    api.set_tags(connection_tags)
    queue = Queue(api, tags=queue_tags)
    queue.add("m", 1, **arguments)
    queue.add_tagged("m", 1, **arguments)
    queue.submit()
    assert [one["tags"] for one in service.measurements] == [tags, tags]
    assert service.points == []


def test_without_tags_anywhere_nothing_of_them_is_sent(
    service: LibratoService, api: LibratoConnection
) -> None:
    queue = api.new_queue()
    queue.add("m", 1, inherit_tags=True)
    queue.add_tagged("m", 1)
    queue.submit()
    assert service.calls[0].body["gauges"] == [{"name": "m", "value": 1}]
    assert service.calls[1].body["measurements"] == [
        {"name": "m", "sum": 1, "count": 1, "tags": {}}
    ]


def test_queue_tags_are_copied_replaced_and_merged(api: LibratoConnection) -> None:
    queue = api.new_queue(tags={"a": "1"})
    queue.get_tags()["b"] = "2"
    queue.add_tags({"c": "3"})
    assert queue.get_tags() == {"a": "1", "c": "3"}
    queue.set_tags({})
    assert queue.get_tags() == {}
    assert api.new_queue().get_tags() == {}


def test_an_empty_queue_sends_nothing(service: LibratoService, api: LibratoConnection) -> None:
    api.new_queue().submit()
    with api.new_queue():
        pass
    assert service.calls == []


@pytest.mark.slow
def test_what_was_delivered_before_a_stubborn_503_is_told_and_not_sent_again(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.deadline = 2
    queue = api.new_queue()
    for number in range(700):
        queue.add(f"m{number}", number)
    queue.add("t", 1, tags={"a": "b"})

    def is_second(call: Call) -> bool:
        return any(one["name"] == "m300" for one in call.body.get("gauges", ()))

    service.fail(503, when=is_second, body={"errors": {"request": ["Maintenance"]}})
    begun = time.monotonic()
    # The deadline may fall into a try, whose answer is then not waited for.
    with pytest.raises((exceptions.ServerError, exceptions.TimedOut)) as caught:
        queue.submit()
    assert time.monotonic() - begun < 8
    delivery = caught.value.delivery
    assert delivery is not None
    assert (delivery.delivered, delivery.waiting, delivery.rejected) == (300, 401, ())
    said = "300 measurements were delivered, 401 were not and wait for the next submission"
    assert said in str(caught.value)
    service.failures.clear()
    queue.add("later", 1)
    queue.submit()
    names = [one["name"] for _, one in service.points]
    assert names == [*(f"m{number}" for number in range(700)), "later"]
    assert len(service.measurements) == 1


def test_an_answer_that_never_came_is_told_as_such(
    service: LibratoService, api: LibratoConnection
) -> None:
    api.deadline = 0.2
    queue = api.new_queue()
    queue.add("m", 1)
    service.fail(0)
    with pytest.raises(exceptions.ConnectionFailed, match="may have taken the last request"):
        queue.submit()


def test_a_poisoned_measurement_does_not_hold_up_the_others(
    service: LibratoService, api: LibratoConnection
) -> None:
    queue = api.new_queue()
    for number in range(40):
        queue.add("bad name" if number in {7, 31} else f"m{number}", number)
    queue.add("t", 1, tags={"a": "b"})
    with pytest.raises(exceptions.BadRequest) as caught:
        queue.submit()
    assert len(service.points) == 38
    assert len(service.measurements) == 1
    delivery = caught.value.delivery
    assert delivery is not None
    assert [one["value"] for one in delivery.rejected] == [7, 31]
    assert (delivery.delivered, delivery.waiting) == (39, 0)
    queue.submit()
    assert len(service.points) == 38


def test_items_added_while_a_chunk_is_sent_are_kept(
    service: LibratoService, api: LibratoConnection
) -> None:
    queue = api.new_queue()
    queue.add("first", 1)

    def add_more(call: Call) -> bool:
        if call.body["gauges"][0]["name"] == "first":
            queue.add("during", 1)
        return False

    service.fail(503, when=add_more)
    queue.submit()
    assert [one["name"] for _, one in service.points] == ["first", "during"]


@pytest.mark.slow
def test_threads_that_add_and_submit_lose_and_repeat_nothing(
    service: LibratoService, api: LibratoConnection
) -> None:
    queue = api.new_queue(auto_submit_count=50)

    def work(thread: int) -> None:
        for number in range(200):
            queue.add(f"m{thread}.{number}", number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.submit()
    names = [one["name"] for _, one in service.points]
    assert (len(names), len(set(names))) == (1600, 1600)


def test_a_full_queue_drops_the_newest_and_counts_them(
    api: LibratoConnection, caplog: pytest.LogCaptureFixture
) -> None:
    queue = api.new_queue(max_size=2)
    with caplog.at_level(logging.WARNING):
        for number in range(5):
            queue.add("m", number)
    assert queue.dropped == 3
    assert queue.chunks[0]["gauges"] == [{"name": "m", "value": 0}, {"name": "m", "value": 1}]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "arguments", [{"type": "gague"}, {"type": "counter", "tags": {"a": "b"}}, {"source": object()}]
)
def test_what_cannot_be_sent_is_refused_at_once(
    service: LibratoService, api: LibratoConnection, arguments: dict[str, Any]
) -> None:
    queue = api.new_queue()
    with pytest.raises(ValueError, match=r"type|JSON"):
        queue.add("m", 1, **arguments)
    with pytest.raises(ValueError, match="finite"):
        queue.add("m", float("nan"))
    queue.submit()
    assert service.calls == []


@pytest.mark.slow
def test_a_forked_child_does_not_send_what_its_parent_queued(
    service: LibratoService, api: LibratoConnection
) -> None:
    queue = api.new_queue()
    queue.add("parent", 1)
    child = os.fork()
    if child == 0:
        try:
            queue.add("child", 1)
            queue.submit()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    queue.submit()
    assert sorted(one["name"] for _, one in service.points) == ["child", "parent"]
