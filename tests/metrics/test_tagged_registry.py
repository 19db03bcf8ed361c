"""Tags of any type, keys of any text: one metric each, found again whatever came before."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from awkward import VALUES, Colour
from wf_instrument.metrics import TaggedRegistry, delta_counter, wavefront_histogram
from wf_instrument.metrics.pyformance_shim import MetricsRegistry
from wf_instrument.reporting.registry_producer import RegistryProducer
from wf_instrument.reporting.snapshot import SnapshotDraft

Points = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def drained(registry: MetricsRegistry) -> Points:
    draft = SnapshotDraft()
    RegistryProducer(registry).drain_into(draft)
    return {(p.name, p.tags): p.value for p in draft.points}


@pytest.mark.expects_caught
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_a_tag_of_any_type_names_one_metric_that_is_reported(make: Any) -> None:
    registry = TaggedRegistry()
    value = make()
    registry.counter("c", {"k": value}).inc(2)
    registry.counter("c", {"k": value}).inc()
    assert registry.has_counter("c", {"k": value})
    delta_counter(registry, "d", {"k": value}).inc()
    assert delta_counter(registry, "d", {"k": value}) is delta_counter(registry, "d", {"k": value})
    wavefront_histogram(registry, "h", {"k": value}).add(1.0)
    points = drained(registry)
    assert {name: value for (name, _), value in points.items()} == {"c.count": 3, "∆d.count": 1}
    for _, tags in points:
        assert all(key == "k" and text.strip() for key, text in tags)


def test_blank_and_unset_tags_are_left_out_of_reports() -> None:
    registry = TaggedRegistry()
    registry.gauge("g", lambda: 1, tags={"a": None, "b": " ", " ": "c", "d": "e"})
    assert drained(registry) == {("g.value", (("d", "e"),)): 1}


def test_values_that_compare_equal_are_different_tags() -> None:
    for first, second in [(1, True), (True, 1), (1.0, 1)]:
        registry = TaggedRegistry()
        registry.counter("c", {"k": first}).inc()
        assert not registry.has_counter("c", {"k": second})
        registry.counter("c", {"k": second}).inc(2)
        assert drained(registry) == {
            ("c.count", (("k", str(first)),)): 1,
            ("c.count", (("k", str(second)),)): 2,
        }


@pytest.mark.parametrize("is_known", [False, True])
def test_a_subclass_of_str_is_its_value_as_key_and_as_tag(is_known: bool) -> None:
    registry = TaggedRegistry()
    if is_known:
        registry.counter("red", {"k": "red"})
        registry.counter("red")
    registry.counter(Colour.RED, {"k": Colour.RED}).inc()
    registry.counter(Colour.RED).inc(2)
    delta_counter(registry, Colour.RED).inc(3)
    assert registry.counter("red", {"k": "red"}).get_count() == 1
    assert drained(registry) == {
        ("red.count", (("k", "red"),)): 1,
        ("red.count", ()): 2,
        ("∆red.count", ()): 3,
    }


@pytest.mark.parametrize("tags", ["text", 5, ["one"]])
def test_tags_that_are_no_mapping_are_told(tags: Any) -> None:
    with pytest.raises(TypeError, match="give a mapping"):
        TaggedRegistry().counter("c", tags)


def test_a_look_up_of_tags_writes_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaggedRegistry()
    tags = {"k": "v"}

    def look_up() -> list[object]:
        return [
            registry.counter("m", tags),
            registry.gauge("m", tags=tags),
            registry.meter("m", tags),
            registry.timer("m", tags),
            registry.histogram("m", tags),
            delta_counter(registry, "m", tags),
            wavefront_histogram(registry, "w", tags),
        ]

    made = look_up()
    monkeypatch.setattr("json.dumps", None)
    assert all(one is other for one, other in zip(made, look_up(), strict=True))


@pytest.mark.parametrize("registry", [TaggedRegistry(), MetricsRegistry()])
def test_threads_that_make_the_same_metric_get_the_same_one(registry: MetricsRegistry) -> None:
    begin = threading.Barrier(8)

    def work() -> None:
        for number in range(200):
            begin.wait(10)
            delta_counter(registry, f"d{number}", {"a": "b"}).inc()
            wavefront_histogram(registry, f"h{number}", {"a": "b"}).add(1.0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    draft = SnapshotDraft()
    RegistryProducer(registry).drain_into(draft, current_minute=True)
    assert {point.value for point in draft.points} == {8}
    assert sum(row.histogram.count for row in draft.distributions) == 8 * 200


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_neither_repeats_changes_nor_waits_for_the_parents_locks() -> None:
    registry = TaggedRegistry()
    delta, plain = delta_counter(registry, "d"), registry.counter("c")
    histogram = wavefront_histogram(registry, "h")
    delta.inc(5)
    plain.inc(5)
    histogram.add(1.0)
    meter, timer = registry.meter("m"), registry.timer("t")
    # As if other threads had been at it.
    for one in (delta, plain, meter, timer.hist, timer.meter):
        one.lock.acquire()
    with registry._making:  # noqa: SLF001 - what a thread that makes a metric holds
        pid = os.fork()
        if pid == 0:
            delta.inc(2)
            plain.inc()
            meter.mark()
            timer._update(1)  # noqa: SLF001 - as its context manager does
            registry.counter("new").inc()
            found = {name: value for (name, _), value in drained(registry).items()}
            sound = (found["∆d.count"], found["c.count"], histogram.take_all_bins()) == (2, 6, [])
            os._exit(0 if sound else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for one in (delta, plain, meter, timer.hist, timer.meter):
        one.lock.release()
    assert drained(registry)["∆d.count", ()] == 5
    assert sum(bin_.count for _, bin_ in histogram.take_all_bins()) == 1
