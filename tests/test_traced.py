"""Spans around code of one's own, of every kind of function, which behaves as without."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import wf_instrument
from wf_instrument.errors import ConfigError
from wf_instrument.telemetry import telemetry_for
from wf_instrument.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from wf_instrument.tracing import SpanData


@pytest.fixture
def reporter() -> Iterator[RecordingReporter]:
    made = RecordingReporter()
    telemetry_for({"reporter": made, "service": "traced"})
    yield made
    wf_instrument.shutdown(5)


def spans(reporter: RecordingReporter) -> dict[str, SpanData]:
    assert wf_instrument.flush(10)
    return {span.name: span for span in reporter.spans}


def current_name() -> str | None:
    active = wf_instrument.get_tracer().active_span
    return None if active is None else active.operation_name


def test_a_block_is_a_child_of_the_current_span_and_carries_its_tags(
    reporter: RecordingReporter,
) -> None:
    with wf_instrument.span("outer", shop="north", http__method="GET") as outer:
        with wf_instrument.span("inner"):
            assert current_name() == "inner"
        outer.set_tag("size", 3)
    assert current_name() is None
    found = spans(reporter)
    assert found["inner"].parents == ((found["outer"].trace_id, found["outer"].span_id),)
    assert {("shop", "north"), ("http.method", "GET"), ("size", "3")} <= set(found["outer"].tags)


def test_an_exception_is_recorded_and_goes_on(reporter: RecordingReporter) -> None:
    @wf_instrument.trace("divide")
    def divide() -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError), wf_instrument.span("block"):
        divide()
    found = spans(reporter)
    assert found["divide"].is_error
    assert found["block"].is_error
    (log,) = found["divide"].logs
    assert dict(log.fields)["error.kind"] == "ZeroDivisionError"


def test_a_function_stays_what_it_is(reporter: RecordingReporter) -> None:
    @wf_instrument.trace
    def price(item: str, *, count: int = 1) -> tuple[str, int]:
        """Return both."""
        return item, count

    assert price("shirt", count=3) == ("shirt", 3)
    assert (price.__name__, price.__doc__) == ("price", "Return both.")
    assert list(inspect.signature(price).parameters) == ["item", "count"]
    with pytest.raises(TypeError, match="item"):
        price()  # type: ignore[call-arg]  # what must fail as without
    assert [name for name in spans(reporter) if name.endswith("price")]


def test_arguments_become_tags_only_when_named(reporter: RecordingReporter) -> None:
    @wf_instrument.trace("login", arguments=["user", "count"], component="auth")
    def login(user: str, password: str, count: int = 1) -> None:
        """Do nothing."""

    login("kim", "s3cret")
    tags = dict(spans(reporter)["login"].tags)
    assert (tags["user"], tags["count"], tags["component"]) == ("kim", "1", "auth")
    assert "s3cret" not in str(tags)


def test_wrong_use_is_told_where_the_function_is_defined() -> None:
    with pytest.raises(ConfigError, match="has no parameter 'usr'"):

        @wf_instrument.trace(arguments=["usr"])
        def login(user: str) -> None:
            """Do nothing."""

    with pytest.raises(ConfigError, match="for functions, not int"):
        wf_instrument.trace(5)  # type: ignore[call-overload]  # what must be told


def test_coroutines_each_have_their_own_current_span(reporter: RecordingReporter) -> None:
    seen: list[tuple[str, str | None]] = []

    async def main() -> None:
        everybody_is_in = asyncio.Event()
        inside = 0

        @wf_instrument.trace(arguments=["name"])
        async def work(name: str) -> str:
            nonlocal inside
            inside += 1
            if inside == 3:
                everybody_is_in.set()
            with wf_instrument.span(name):
                await everybody_is_in.wait()
                seen.append((name, current_name()))
            return name

        assert inspect.iscoroutinefunction(work)
        assert await asyncio.gather(*(work(name) for name in "abc")) == ["a", "b", "c"]

    asyncio.run(main())
    assert sorted(seen) == [("a", "a"), ("b", "b"), ("c", "c")]
    assert wf_instrument.flush(10)
    children = {span.name: span.parents[0][1] for span in reporter.spans if span.name in "abc"}
    owners = {
        dict(span.tags)["name"]: span.span_id
        for span in reporter.spans
        if "name" in dict(span.tags)
    }
    assert children == owners


def test_a_cancelled_coroutine_ends_its_span(reporter: RecordingReporter) -> None:
    async def main() -> None:
        has_begun = asyncio.Event()

        @wf_instrument.trace("waiting")
        async def waiting() -> None:
            has_begun.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(waiting())
        await has_begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert "waiting" in spans(reporter)


def test_a_generators_span_is_current_in_its_steps_alone(reporter: RecordingReporter) -> None:
    @wf_instrument.trace("count")
    def count() -> Iterator[Any]:
        try:
            got = yield current_name()
            while got != "stop":
                got = yield got, current_name()
        except KeyError as error:
            yield "caught", str(error), current_name()
        return "result"

    def around() -> Iterator[Any]:
        result = yield from count()
        yield result

    assert inspect.isgeneratorfunction(count)
    generator: Any = around()
    assert next(generator) == "count"
    assert current_name() is None
    assert generator.send("a") == ("a", "count")
    assert spans(reporter) == {}  # not over yet
    assert generator.throw(KeyError("k")) == ("caught", "'k'", "count")
    assert next(generator) == "result"
    assert current_name() is None
    assert not spans(reporter)["count"].is_error


def test_a_generator_that_is_closed_or_fails_ends_its_span(reporter: RecordingReporter) -> None:
    is_cleaned_up = []

    @wf_instrument.trace("closed")
    def closed() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            is_cleaned_up.append(current_name())

    @wf_instrument.trace("failing")
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("on purpose")

    generator = closed()
    next(generator)
    generator.close()  # type: ignore[attr-defined]  # it is a generator
    assert is_cleaned_up == ["closed"]
    with pytest.raises(ValueError, match="on purpose"):
        list(failing())
    found = spans(reporter)
    assert (found["closed"].is_error, found["failing"].is_error) == (False, True)


def test_asynchronous_generators_too(reporter: RecordingReporter) -> None:
    @wf_instrument.trace("stream")
    async def stream() -> AsyncIterator[Any]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number, current_name()

    @wf_instrument.trace("failing")
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise ValueError("on purpose")

    async def main() -> None:
        assert inspect.isasyncgenfunction(stream)
        async for number, name in stream():
            assert (name, current_name()) == ("stream", None), number
        with pytest.raises(ValueError, match="on purpose"):
            async for _ in failing():
                pass
        left: Any = stream()
        await left.__anext__()
        await left.aclose()

    asyncio.run(main())
    found = spans(reporter)
    assert (found["stream"].is_error, found["failing"].is_error) == (False, True)
    assert sum(span.name == "stream" for span in reporter.spans) == 2


def test_methods_of_every_kind(reporter: RecordingReporter) -> None:
    class Shop:
        @wf_instrument.trace("plain")
        def plain(self) -> str:
            return "plain"

        @classmethod
        @wf_instrument.trace("class")
        def of_class(cls) -> str:
            return cls.__name__

        @staticmethod
        @wf_instrument.trace("static")
        def static() -> str:
            return "static"

    assert (Shop().plain(), Shop.of_class(), Shop.static()) == ("plain", "Shop", "static")
    assert set(spans(reporter)) == {"plain", "class", "static"}


@pytest.mark.parametrize("settings", [{"enabled": False}, {"spans": False}])
def test_switched_off_everything_runs_without_spans(settings: dict[str, object]) -> None:
    reporter = RecordingReporter()
    telemetry_for({"reporter": reporter, **settings})
    with wf_instrument.span("block", a="b") as nothing:
        assert nothing.set_tag("k", "v").log_kv({}) is nothing
    assert wf_instrument.trace(len)([1, 2]) == 2
    assert list(wf_instrument.trace(lambda: iter([1]))()) == [1]
    wf_instrument.flush(5)
    assert reporter.spans == ()
    wf_instrument.shutdown(5)


@pytest.mark.expects_caught
def test_a_wrong_setting_does_not_keep_the_code_from_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wf_instrument.shutdown(5)
    monkeypatch.setenv("WF_TICK", "soon")

    @wf_instrument.trace
    def work() -> int:
        return 5

    with wf_instrument.span("block"):
        assert work() == 5
