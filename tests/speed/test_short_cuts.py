"""Short cuts in C and their twins in Python do the same, whatever comes."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speed.trials import ROUTE, Stage, Trial, serve_asgi, serve_wsgi
from wf_instrument import speed
from wf_instrument.web.asgi import AsgiRequest, AsgiTelemetry
from wf_instrument.web.wsgi import WsgiRequest, WsgiTelemetry

if TYPE_CHECKING:
    from collections.abc import Callable

compiled = pytest.mark.skipif(
    not speed.IS_COMPILED, reason="no short cuts here: nothing was compiled, or WF_PURE_PYTHON=1"
)

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

ENVIRONS = st.fixed_dictionaries(
    {},
    optional={
        "REQUEST_METHOD": st.sampled_from(["GET", "POST", "HEAD", "BREW"]),
        "PATH_INFO": st.sampled_from(["/things/1", "/health/live", "/healthz", "/caf\xc3\xa9", ""]),
        "HTTP_HOST": st.sampled_from(["shop.example", "user:secret@shop.example", None]),
        "HTTP_TRACEPARENT": st.just(TRACEPARENT),
        "HTTP_X_REQUEST_START": st.sampled_from(["t=1.0", "nonsense"]),
        "CONTENT_LENGTH": st.just("3"),
        "QUERY_STRING": st.sampled_from(["", "color=red"]),
        "SERVER_PROTOCOL": st.sampled_from(["HTTP/1.0", "HTTP/2"]),
    },
)
TRIALS = st.builds(
    Trial,
    environ=ENVIRONS,
    route=st.sampled_from([ROUTE, None]),
    status=st.sampled_from([200, 204, 302, 404, 418, 500, 503]),
    headers=st.sampled_from([[], [("Content-Length", "4")], [("X-Other", "1")]]),
    kind=st.sampled_from(["list", "tuple", "generator", "closing", "sized", "write", "reads"]),
    chunks=st.lists(st.binary(max_size=5), max_size=3),
    raises_at=st.sampled_from(["", "", "", "call", "body"]),
    leaves_after=st.sampled_from([None, None, None, 0, 1]),
    spans=st.booleans(),
    does=st.sampled_from(["", "", "renames", "finishes", "drops", "tags", "dimension"]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "metrics": st.booleans(),
            "url_query": st.booleans(),
            "sample_rate": st.sampled_from([0.0, 0.5, 1.0]),
            "quiet_routes": st.sampled_from([(ROUTE,), ("/other",)]),
        },
    ),
    view=st.sampled_from(["view", "", None]),
    times=st.sampled_from([1, 2]),
)


def by_both(serve: Callable[[Trial], dict[str, object]], trial: Trial) -> tuple[Any, Any]:
    speed.use_short_cuts()
    in_c = serve(trial)
    speed.use_twins()
    try:
        in_python = serve(trial)
    finally:
        speed.use_short_cuts()
    return in_c, in_python


@compiled
@pytest.mark.slow
@settings(max_examples=300)
@given(TRIALS)
def test_both_twins_see_and_answer_the_same_through_wsgi(trial: Trial) -> None:
    in_c, in_python = by_both(serve_wsgi, trial)
    assert in_c == in_python


@compiled
@pytest.mark.slow
@settings(max_examples=300)
@given(TRIALS)
def test_both_twins_see_and_answer_the_same_through_asgi(trial: Trial) -> None:
    in_c, in_python = by_both(serve_asgi, trial)
    assert in_c == in_python


def test_the_trials_record_what_they_serve() -> None:
    for serve in (serve_wsgi, serve_asgi):
        facts: Any = serve(Trial(chunks=[b"abc"]))
        ((key, count, *_),) = facts["rows"]
        assert (key.route, key.status, count) == (ROUTE, 200, 1)
        assert len(facts["spans"]) == 1
        assert facts["seen"][0] == (True, "GET")


@compiled
@pytest.mark.parametrize("owner", [WsgiRequest, WsgiTelemetry, AsgiRequest, AsgiTelemetry])
def test_short_cuts_stand_in_for_methods_that_can_be_had_again(owner: type[Any]) -> None:
    short = {name: getattr(owner, name) for name in ("__call__", "finish") if hasattr(owner, name)}
    speed.use_twins()
    try:
        twins = {name: getattr(owner, name) for name in short}
    finally:
        speed.use_short_cuts()
    assert all(twins[name] is not short[name] for name in short)
    assert {name: getattr(owner, name) for name in short} == short


def of_ours() -> Counter[str]:
    """Return how many objects of each kind that a request is made of are alive."""
    gc.collect()
    kinds = {"WsgiRequest", "AsgiRequest", "WavefrontSpan", "WsgiBody", "Sending", "Stepped"}
    names = (type(one).__name__ for one in gc.get_objects())
    return Counter(name for name in names if name in {*kinds, "Recorder", "Cell"})


@pytest.mark.parametrize("serve", [serve_wsgi, serve_asgi])
@pytest.mark.parametrize("raises_at", ["", "call", "body"])
@pytest.mark.parametrize("kind", ["list", "closing"])
def test_nothing_of_a_request_outlives_what_it_is_reported_by(
    serve: Any, raises_at: str, kind: str
) -> None:
    before = of_ours()
    for _ in range(5):
        serve(Trial(chunks=[b"abc"], kind=kind, raises_at=raises_at))
    assert of_ours() - before == {}


@compiled
@pytest.mark.parametrize("spans", [True, False])
def test_references_are_given_back(spans: bool) -> None:
    stage = Stage(Trial(spans=spans), reports=False)
    text, path = "GET-" + "x" * 100, "/things/" + "y" * 100

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return iter([b"abc"])

    driver = WsgiTelemetry(app, stage.recorder, lambda environ: ROUTE)
    watched: list[Any] = [stage.recorder, text, path, app, driver, None, ()]

    def call() -> None:
        environ = {"REQUEST_METHOD": text, "PATH_INFO": path, "SCRIPT_NAME": "", "HTTP_HOST": "h"}
        body: Any = driver({**environ, "wsgi.url_scheme": "http"}, lambda *_: print)
        list(body)
        body.close()

    def counts() -> list[int]:
        stage.pipeline.flush(5)
        gc.collect()
        return [sys.getrefcount(one) for one in watched]

    call()
    before = counts()
    for _ in range(1000):
        call()
    after = counts()
    stage.pipeline.shutdown(5)
    # Exemplars hold one request in each power of two of latency.
    assert all(now - then < 100 for then, now in zip(before, after, strict=True))


def test_who_wants_python_gets_it() -> None:
    if os.environ.get("WF_PURE_PYTHON") == "1":
        assert not speed.IS_COMPILED
    assert (speed.RecordState.__module__ != "wf_instrument.speed.states") == speed.IS_COMPILED
