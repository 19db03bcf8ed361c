"""The budget of dimensions, and what becomes of values nobody would expect."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wf_instrument
from samples import IDENTITY
from wf_instrument.reporting import Pipeline
from wf_instrument.settings import Settings
from wf_instrument.testing import RecordingReporter
from wf_instrument.web import Recorder
from wf_instrument.web.current import SPANLESS
from wf_instrument.web.dimensions import MAX_DIMENSIONS, OVERFLOW_VALUE, DimensionBudget
from wf_instrument.web.request import RequestRecord


class Request(RequestRecord):
    """A request of a route, served within the `with` block."""

    def __init__(self, stage: Stage, route: str) -> None:
        self._route = route
        self.begin(stage.recorder, "GET")

    def resolve_handle(self) -> Any:
        return self.recorder.handle(self._route, "GET", "http", "HTTP/1.1")

    def __enter__(self) -> Request:
        self._token = SPANLESS.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.status = 200
        self.finish()
        SPANLESS.reset(self._token)


class Stage:
    """A recorder, and what it reports."""

    def __init__(self, **settings: Any) -> None:
        self.pipeline = Pipeline(IDENTITY, 60)
        self.reporter = RecordingReporter()
        self.pipeline.add_reporter("test", self.reporter)
        self.recorder = Recorder(
            "wsgi",
            Settings(**settings),
            self.pipeline,
            None,
            lambda route: (str(route), None, None),
        )

    def request(self, route: str = "/cart", **dimensions: object) -> None:
        with Request(self, route):
            for name, value in dimensions.items():
                wf_instrument.set_dimension(name, value)

    def counts(self) -> dict[tuple[tuple[str, str], ...], int]:
        self.pipeline.flush(5)
        return {row.key.dimensions: row.count for row in self.reporter.requests}

    def self_point(self, name: str, *tags: tuple[str, str]) -> float:
        self.pipeline.flush(5)
        found = {(p.name, p.tags): p.value for p in self.reporter.snapshot.self_points}
        return found.get((f"wf_instrument.dimensions.{name}", tags), 0)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_requests_with_and_without_dimensions_are_counted_apart(stage: Stage) -> None:
    stage.request()
    stage.request(tenant="north")
    stage.request(tenant="north")
    assert stage.counts() == {(): 1, (("tenant", "north"),): 2}


def test_the_order_in_which_dimensions_are_set_makes_no_difference(stage: Stage) -> None:
    stage.request(a="1", b="2")
    stage.request(b="2", a="1")
    assert stage.counts() == {(("a", "1"), ("b", "2")): 2}


def test_a_name_set_again_takes_the_new_value(stage: Stage) -> None:
    with Request(stage, "/cart"):
        wf_instrument.set_dimension("tenant", "north")
        wf_instrument.set_dimension("tenant", "south")
    assert stage.counts() == {(("tenant", "south"),): 1}


def test_names_past_the_limit_are_ignored_and_counted(stage: Stage) -> None:
    before = stage.self_point("ignored", ("reason", "too_many"))
    stage.request(**{f"d{i:02}": i for i in range(MAX_DIMENSIONS + 3)})
    ((dimensions, _),) = stage.counts().items()
    assert dimensions == tuple((f"d{i:02}", str(i)) for i in range(MAX_DIMENSIONS))
    assert stage.self_point("ignored", ("reason", "too_many")) == before + 3


def test_outside_of_a_request_nothing_happens_and_it_is_counted(stage: Stage) -> None:
    before = stage.self_point("ignored", ("reason", "outside_request"))
    wf_instrument.set_dimension("tenant", "north")
    assert stage.self_point("ignored", ("reason", "outside_request")) == before + 1


def test_after_the_end_of_a_request_nothing_happens(stage: Stage) -> None:
    with Request(stage, "/cart") as request:
        request.status = 200
        request.finish()
        wf_instrument.set_dimension("tenant", "north")
    assert stage.counts() == {(): 1}
    assert request.dimensions is None


@pytest.mark.parametrize("value", [None, "", "  "])
def test_blank_values_are_ignored(stage: Stage, value: object) -> None:
    stage.request(tenant=value)
    assert stage.counts() == {(): 1}


@pytest.mark.expects_caught
def test_a_value_that_cannot_be_text_reaches_nobody(stage: Stage) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    stage.request(tenant=Hostile())
    assert stage.counts() == {(("tenant", "?"),): 1}


@given(name=st.text(), value=st.text() | st.binary() | st.integers() | st.lists(st.text()))
def test_whatever_is_set_becomes_bounded_text_that_utf_8_takes(name: str, value: object) -> None:
    stage = Stage()
    with Request(stage, "/cart") as request:
        wf_instrument.set_dimension(name, value)
    for key, text in (request.dimensions or {}).items():
        assert len(key.encode()) <= 400
        assert len(text) <= 200
        assert text.encode()


def test_values_past_the_budget_of_a_route_share_the_overflow_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage(max_dimension_values=2)
    with caplog.at_level(logging.WARNING):
        for i in range(5):
            stage.request(user=i)
    stage.request(user=1)
    assert stage.counts() == {
        (("user", "0"),): 1,
        (("user", "1"),): 2,
        (("user", OVERFLOW_VALUE),): 3,
    }
    assert stage.self_point("overflowed") == 3
    assert len([line for line in caplog.messages if "max_dimension_values" in line]) == 1
    assert "user" not in caplog.text


def test_one_route_past_its_budget_takes_nothing_from_another() -> None:
    stage = Stage(max_dimension_values=1)
    for route in ("/a", "/b"):
        stage.request(route, user="1")
        stage.request(route, user="2")
    assert stage.counts() == {(("user", "1"),): 1, (("user", OVERFLOW_VALUE),): 1}
    assert stage.reporter.count(route="/a") == stage.reporter.count(route="/b") == 2


def test_all_routes_together_stay_within_max_series() -> None:
    stage = Stage(max_series=5)
    for i in range(20):
        stage.request("/a" if i % 2 else "/b", user=i)
    assert stage.counts()[("user", OVERFLOW_VALUE),] > 0
    own = {row.key.dimensions for row in stage.reporter.requests} - {(("user", OVERFLOW_VALUE),)}
    assert len(own) <= 5


def test_names_without_bound_make_no_series_without_bound() -> None:
    stage = Stage(max_dimension_values=2)
    for i in range(200):
        stage.request(**{f"name{i}": "x"})
    assert len(stage.counts()) < 25
    assert sum(stage.counts().values()) == 200


def test_a_budget_of_none_hides_all_values() -> None:
    stage = Stage(max_dimension_values=0)
    stage.request(user="1")
    assert stage.counts() == {(("user", OVERFLOW_VALUE),): 1}


def test_threads_at_once_lose_no_request_and_no_budget() -> None:
    stage = Stage(max_dimension_values=50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: stage.request(user=i % 80), range(2000)))
    counts = stage.counts()
    assert sum(counts.values()) == 2000
    assert len(counts) == 51


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_the_lock_is_held_admits_dimensions() -> None:
    children: list[int] = []

    def fork() -> int:  # called while the budget holds its lock
        if not children:
            children.append(os.fork())
            if children[0] == 0:
                code = 1
                try:
                    code = 0 if budget.admitted("/b", {"user": "2"}) == (("user", "2"),) else 1
                finally:
                    os._exit(code)
        return 0

    budget = DimensionBudget(10, 10, fork)
    budget.admitted("/a", {"user": "1"})
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
