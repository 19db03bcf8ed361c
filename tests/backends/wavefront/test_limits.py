"""Data beyond what the service accepts: cut, told or refused, and always counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import WavefrontClient
from wf_instrument.backends.wavefront.limits import ValidationMode, Validator
from wf_instrument.backends.wavefront.lines import histogram_to_line_data, metric_to_line_data
from wf_instrument.backends.wavefront.span_lines import tracing_span_to_line_data
from wf_instrument.backends.wavefront.texts import Texts
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = UUID("7b3bf470-9456-11e8-9eb6-529269fb1459")


def metric(
    texts: Texts, name: str = "m", source: str = "s", tags: dict[str, str] | None = None
) -> str:
    return metric_to_line_data(name, 1, None, source, tags, "d", texts)


def span(texts: Texts, name: str = "op", tags: list[tuple[str, str]] | None = None) -> str:
    return tracing_span_to_line_data(name, 1, 2, "s", ID, ID, [], [], tags, None, "d", texts)


def histogram(texts: Texts, name: str) -> str:
    return histogram_to_line_data(name, [(1.0, 1)], {"!M"}, None, "s", None, "d", texts)


def cutting() -> Texts:
    return Texts(Validator("truncate"))


def test_what_is_within_the_limits_is_left_as_it_is() -> None:
    tags = {"k" * 64: "v" * 190, **{f"k{number}": "v" for number in range(19)}}
    texts = cutting()
    expected = metric_to_line_data("n" * 256, 1, None, "s" * 128, tags, "d")
    assert metric(texts, "n" * 256, "s" * 128, tags) == expected
    pairs = [("k" * 128, "v" * 128), *[(f"k{number}", "v") for number in range(19)]]
    assert span(texts, "n" * 128, pairs) == span(Texts(), "n" * 128, pairs)
    assert histogram(texts, "n" * 128) == histogram(Texts(), "n" * 128)
    assert texts.validator.violations == {}


def test_names_and_sources_are_cut_with_an_ellipsis() -> None:
    texts = cutting()
    assert metric(texts, "n" * 257).startswith('"' + "n" * 253 + '..." 1.0')
    assert histogram(texts, "n" * 129) == f'!M #1 1.0 "{"n" * 125}..." source="s"\n'
    assert span(texts, "n" * 129).startswith('"' + "n" * 125 + '..." source')
    assert 'source="' + "s" * 125 + '..."' in metric(texts, source="s" * 129)
    assert texts.validator.violations == {
        "metric name": 1, "histogram name": 1, "span name": 1, "source": 1,
    }  # fmt: skip


def test_tags_are_cut_so_that_key_and_value_fit_together() -> None:
    texts = cutting()
    line = metric(texts, tags={"k" * 65: "v" * 300})
    key, value = line.rstrip().split(" ")[-1].replace('"', "").split("=")
    assert (len(key), len(f"{key}={value}")) == (64, 255)
    assert key.endswith("...")
    assert value.endswith("...")
    line = span(texts, tags=[("k" * 129, "v" * 129)])
    assert f'"{"k" * 125}..."="{"v" * 125}..."' in line


def test_tags_beyond_the_twentieth_are_left_out_and_the_mark_of_logs_is_kept() -> None:
    tags = {f"k{number:02}": "v" for number in range(25)}
    line = metric(cutting(), tags=tags)
    assert ('"k19"="v"\n' in line, '"k20"' in line) == (True, False)
    texts = cutting()
    parts = texts.span_tags("op", [*tags.items(), ("_spanLogs", "true")], wanted=1)
    assert parts == [f'"k{n:02}"="v"' for n in range(19)] + ['"_spanLogs"="true"']


def test_each_violation_is_counted_though_each_name_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    texts = cutting()
    for _ in range(3):
        metric(texts, tags={"k": "v" * 300})
    assert texts.validator.violations == {"point tag value": 3}
    assert len([r for r in caplog.records if "beyond the service's limit" in r.message]) == 1


def test_warn_sends_as_it_is_and_off_does_not_look() -> None:
    long = metric(Texts(), "n" * 300, tags={"k": "v" * 300})
    warning, blind = Texts(Validator("warn")), Texts(Validator("off"))
    assert metric(warning, "n" * 300, tags={"k": "v" * 300}) == long
    assert metric(blind, "n" * 300, tags={"k": "v" * 300}) == long
    assert warning.validator.violations == {"metric name": 1, "point tag value": 1}
    assert blind.validator.violations == {}


@pytest.mark.parametrize(
    "call",
    [
        lambda t: metric(t, "n" * 257),
        lambda t: metric(t, source="s" * 129),
        lambda t: metric(t, tags={"k" * 65: "v"}),
        lambda t: metric(t, tags={"k": "v" * 254}),
        lambda t: metric(t, tags={f"k{n}": "v" for n in range(21)}),
        lambda t: histogram(t, "n" * 129),
        lambda t: span(t, "n" * 129),
        lambda t: span(t, tags=[("k", "v" * 129)]),
        lambda t: span(t, tags=[(f"k{n}", "v") for n in range(21)]),
    ],
)
def test_strict_refuses_every_violation(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="beyond the service's limit"):
        call(Texts(Validator("strict")))


@given(name=st.text(), source=st.text(), key=st.text(max_size=80), value=st.text(max_size=400))
def test_whatever_comes_a_cut_line_is_within_the_limits(
    name: str, source: str, key: str, value: str
) -> None:
    texts = cutting()
    try:
        first = metric(texts, name * 9, source * 9, {key: value})
    except ValueError:
        return
    assert metric(texts, name * 9, source * 9, {key: value}) == first  # kept or not
    quoted, rest = first[1:].split('" ', 1)
    assert len(quoted) <= 256
    assert first.count("\n") == 1
    if texts.validator.violations["metric name"]:
        assert quoted.endswith("...")
    assert rest


def test_text_that_equals_a_number_is_not_taken_for_it() -> None:
    texts = cutting()
    tags = [{"k": value} for value in ("1", 1, True, 1.0)]
    assert [metric(texts, tags=one).split("=")[-1] for one in tags] == [  # type: ignore[arg-type]  # what users pass
        '"1"\n', '"1"\n', '"True"\n', '"1.0"\n',
    ]  # fmt: skip


def test_the_tables_of_texts_stay_bounded() -> None:
    texts = cutting()
    for number in range(10_000):
        metric(texts, f"n{number}", f"s{number}", {"k": f"v{number}"})
    assert max(map(len, (texts.metric_names, texts.sources, texts.point_tags))) <= 4096


@pytest.fixture
def receiver() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


@pytest.mark.parametrize(
    ("mode", "arrives"), [("truncate", "..."), ("warn", "vvv"), ("off", "vvv"), ("strict", None)]
)
def test_the_client_validates_as_it_is_told(
    receiver: LoopbackReceiver, mode: ValidationMode, arrives: str | None
) -> None:
    client = WavefrontClient(receiver.url, validation=mode)
    try:
        client.send_metric("m", 1, None, "s", {"k": "v" * 300})
    except ValueError:
        assert mode == "strict"
    client.close()
    assert client.sender.counts["points"].invalid == (mode == "strict")
    assert client.validation_violations == ({} if mode == "off" else {"point tag value": 1})
    assert [line.rstrip()[-4:-1] for line in receiver.lines()] == ([arrives] if arrives else [])


def test_an_unknown_mode_is_told() -> None:
    with pytest.raises(ConfigError, match="off, warn, truncate, strict"):
        Validator("loose")  # type: ignore[arg-type]  # a typing mistake
