"""Histograms at the size of a day: exact counts and sums, quantiles within a per cent."""

from __future__ import annotations

import itertools
import math
import random
import threading

import pytest

from wf_instrument.metrics import DeltaCounter, ExponentialHistogram, TaggedRegistry, delta_counter
from wf_instrument.metrics.wavefront_histogram import WavefrontHistogram

NUMBER = 1_000_000
PARTS = 10


@pytest.mark.slow
def test_a_million_values_of_four_threads_in_ten_parts_merge_to_the_same_in_any_order() -> None:
    rng = random.Random(4)
    values = [rng.lognormvariate(0.0, 1.0) for _ in range(NUMBER)]
    parts = [WavefrontHistogram(lambda: 60.0) for _ in range(PARTS)]

    def add(first: int) -> None:
        for number in range(first, NUMBER, 4):
            parts[number % PARTS].add(values[number])

    threads = [threading.Thread(target=add, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folded = [part.take_all_bins()[0][1] for part in parts]
    merged = []
    for order in (range(PARTS), reversed(range(PARTS)), rng.sample(range(PARTS), PARTS)):
        total = ExponentialHistogram()
        for index in order:
            total.merge(folded[index])
        merged.append(total)
    values.sort()
    for total in merged:
        assert total.count == NUMBER
        assert math.isclose(total.sum, math.fsum(values), rel_tol=1e-12)
        assert (total.min, total.max) == (values[0], values[-1])
        for share in (0.5, 0.9, 0.99, 0.999):
            exact = values[math.ceil(share * NUMBER) - 1]
            assert math.isclose(total.quantile(share), exact, rel_tol=0.01)
    for one, other in itertools.pairwise(merged):
        assert [one.quantile(q / 1000) for q in range(1, 1000)] == pytest.approx(
            [other.quantile(q / 1000) for q in range(1, 1000)], rel=1e-12
        )


@pytest.mark.slow
def test_a_thousand_threads_lose_no_update() -> None:
    registry = TaggedRegistry()
    counter = delta_counter(registry, "jobs", {"a": "b"})
    histogram = WavefrontHistogram(lambda: 60.0)
    begin = threading.Barrier(1000)

    def work() -> None:
        begin.wait(60)
        for number in range(20):
            counter.inc()
            registry.counter("plain", {"k": "v"}).inc()
            histogram.add(number)

    threads = [threading.Thread(target=work) for _ in range(1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(counter, DeltaCounter)
    assert counter.take() == 20_000
    assert registry.counter("plain", {"k": "v"}).get_count() == 20_000
    ((_, values),) = histogram.take_all_bins()
    assert (values.count, values.sum) == (20_000, 190_000)
