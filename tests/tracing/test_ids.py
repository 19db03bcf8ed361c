from __future__ import annotations

import os
import threading

import pytest

from wf_instrument.tracing import WavefrontTracer
from wf_instrument.tracing.ids import new_span_id, new_trace_id, seeded_ids


def _ids() -> list[int]:
    return [new_trace_id() for _ in range(50)] + [new_span_id() for _ in range(50)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_children_make_other_ids_than_the_parent_and_each_other() -> None:
    _ids()
    families = []
    for _ in range(3):
        readable, writable = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writable, ",".join(map(str, _ids())).encode())
            os._exit(0)
        os.close(writable)
        with os.fdopen(readable) as pipe:
            families.append([int(text) for text in pipe.read().split(",")])
        os.waitpid(pid, 0)
    families.append(_ids())
    assert len({number for family in families for number in family}) == 400


def test_ids_made_by_many_threads_are_distinct() -> None:
    made: list[int] = []
    threads = [threading.Thread(target=lambda: made.extend(_ids())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(set(made)) == 800


def test_seeded_ids_are_the_same_in_every_run_and_end_with_the_block() -> None:
    with seeded_ids(7):
        first = _ids()
    with seeded_ids(7):
        second = _ids()
    assert first == second
    assert _ids() != first


def test_ids_are_never_zero_and_fit_their_width() -> None:
    spans = [WavefrontTracer().start_span("op") for _ in range(1000)]
    assert all(0 < span.trace_id_int < 2**128 for span in spans)
    assert all(0 < span.span_id_int < 2**64 for span in spans)
