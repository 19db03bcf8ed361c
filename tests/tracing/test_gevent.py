"""Programs patched by gevent: each greenlet has its own current span."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("gevent", reason="gevent is no dependency; where it is, this must hold")

PROGRAM = """
from gevent import monkey; monkey.patch_all()
import gevent, threading, time
from wf_instrument.tracing import InMemoryReporter, WavefrontTracer

kept = InMemoryReporter()
tracer = WavefrontTracer(kept)

def work(number):
    with tracer.start_active_span(f"outer-{number}", ignore_active_span=True) as outer:
        time.sleep(0.001 * (number % 3))
        with tracer.start_active_span("inner") as inner:
            time.sleep(0.001)
            assert tracer.active_span is inner.span
        assert inner.span.get_parents() == [outer.span.span_id]
        assert tracer.active_span is outer.span
    assert tracer.active_span is None

gevent.joinall([gevent.spawn(work, number) for number in range(50)], raise_error=True)
threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert tracer.active_span is None
print(len(kept.spans))
"""


@pytest.mark.slow
def test_each_greenlet_has_its_own_current_span() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == ("200\n", 0), done.stderr
