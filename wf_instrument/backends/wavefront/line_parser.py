r"""Reading lines: what the line functions write, and what people write by hand.

No I/O, no clock, no thread. Names, sources, keys and values may stand in double quotes, in which
`\"` is a quote; without quotes they end at white space.

Source:
    Wavefront data format: metrics, histograms, spans and events; Wavefront SDK, README.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final
from uuid import UUID

from wf_instrument.reporting.datum import (
    Datum,
    EventDatum,
    HistogramDatum,
    MetricDatum,
    SpanDatum,
    SpanLogDatum,
)

__all__ = ["parse_line"]

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
#: A word, a quoted text, or `key=value` with either on both sides.
_WORD: Final = re.compile(rf'({_QUOTED}|[^\s"=]+)(?:(=)({_QUOTED}|[^\s"]+))?(?=\s|$)')
_HISTOGRAM: Final = re.compile(r"![MHD]\s")
_SPACE: Final = re.compile(r"\s*")
#: The second character of an escape, or of a pair of backslashes in front of a quote.
_ESCAPED_QUOTES: Final = re.compile(r'(\\+)(")|(\\+)$')
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)
#: What reading JSON of any form raises; `int` of a number that is infinite in it, the second.
_UNREADABLE: Final = (
    ValueError,
    OverflowError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
)


Tags = tuple[tuple[str, str], ...]
_Word = tuple[str, str | None]


def parse_line(line: str) -> Datum:
    """Read one line of any kind.

    Raises:
        ValueError: It is none; the message says what is wrong with it.
    """
    text = line.strip()
    if not text:
        raise ValueError("the line is empty")
    if text.startswith("{"):
        return _span_log(text)
    words = _words(text)
    if _HISTOGRAM.match(text):
        return _histogram(words)
    if text.startswith("@Event "):
        return _event(words)
    # Of a metric the second word is its value.
    if len(words) > 1 and words[1][1] is not None:
        return _span(words)
    return _metric(words)


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    at = 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise ValueError(f"{text[at : at + 40]!r} is neither a word nor key=value")
        value = found[3] if found[2] else None
        words.append((_unquoted(found[1]), None if value is None else _unquoted(value)))
        space = _SPACE.match(text, found.end())
        at = space.end() if space is not None else len(text)
    return words


def _unquoted(text: str) -> str:
    r"""Return the text without its quotes; `\"` becomes `"`, `\\` before a quote `\`."""
    if not text.startswith('"'):
        return text

    def single(found: re.Match[str]) -> str:
        if found[2]:  # the last backslash escapes the quote, the others come in pairs
            return "\\" * (len(found[1]) // 2) + '"'
        return "\\" * (len(found[3]) // 2)

    return _ESCAPED_QUOTES.sub(single, text[1:-1])


def _metric(words: list[_Word]) -> MetricDatum:
    if len(words) < 2 or words[0][1] is not None or words[1][1] is not None:
        raise ValueError("a metric line begins with a name and a value")
    name, value = words[0][0], _decimal(words[1][0], "value")
    timestamp_s, rest = _timestamp(words[2:])
    source, tags = _source_and_tags(rest)
    return MetricDatum(_named(name), value, timestamp_s, source, tags)


def _histogram(words: list[_Word]) -> HistogramDatum:
    timestamp_s, rest = _timestamp(words[1:])
    centroids = []
    while len(rest) >= 2 and rest[0][0].startswith("#") and rest[0][1] is None:
        count = _whole(rest[0][0][1:], "count of a centroid")
        if count < 1:
            raise ValueError(f"a centroid has {count} values")
        centroids.append((_decimal(rest[1][0], "mean of a centroid"), count))
        rest = rest[2:]
    if not centroids:
        raise ValueError("a histogram line has centroids: #count mean")
    if not rest or rest[0][1] is not None:
        raise ValueError("a histogram line has a name behind its centroids")
    source, tags = _source_and_tags(rest[1:])
    name = _named(rest[0][0])
    return HistogramDatum(words[0][0], timestamp_s, tuple(centroids), name, source, tags)


def _span(words: list[_Word]) -> SpanDatum:
    if words[0][1] is not None or len(words) < 3 or {words[-1][1], words[-2][1]} != {None}:
        raise ValueError("a span line begins with a name and ends with start and duration")
    ids: dict[str, list[UUID]] = {"traceId": [], "spanId": [], "parent": [], "followsFrom": []}
    others: list[_Word] = []
    for key, value in words[1:-2]:
        if key in ids and value is not None:
            ids[key].append(_uuid(value, key))
        else:
            others.append((key, value))
    if len(ids["traceId"]) != 1 or len(ids["spanId"]) != 1:
        raise ValueError("a span line has one traceId and one spanId")
    source, tags = _source_and_tags(others)
    return SpanDatum(
        name=_named(words[0][0]),
        source=source,
        trace_id=ids["traceId"][0],
        span_id=ids["spanId"][0],
        parents=tuple(ids["parent"]),
        follows_from=tuple(ids["followsFrom"]),
        tags=tags,
        start_ms=_whole(words[-2][0], "start"),
        duration_ms=_whole(words[-1][0], "duration"),
    )


def _event(words: list[_Word]) -> EventDatum:
    if len(words) < 4 or any(value is not None for _, value in words[1:4]):
        raise ValueError("an event line begins with @Event, start, end and a name")
    source = None
    tags, annotations = [], []
    for key, value in words[4:]:
        if value is None:
            raise ValueError(f"{key!r} is no key=value")
        if key == "host":
            source = value
        elif key == "tag":
            tags.append(value)
        else:
            annotations.append((key, value))
    start_ms, end_ms = _whole(words[1][0], "start"), _whole(words[2][0], "end")
    return EventDatum(
        _named(words[3][0]), start_ms, end_ms, source, tuple(tags), tuple(annotations)
    )


def _span_log(text: str) -> SpanLogDatum:
    try:
        data = json.loads(text)
        logs = tuple(
            (
                int(log["timestamp"]),
                tuple((str(key), str(value)) for key, value in log["fields"].items()),
            )
            for log in data["logs"]
        )
        trace_id, span_id = str(data["traceId"]), str(data["spanId"])
    except _UNREADABLE as exc:
        raise ValueError("a span log is a JSON object with traceId, spanId and logs") from exc
    return SpanLogDatum(_uuid(trace_id, "traceId"), _uuid(span_id, "spanId"), logs)


def _timestamp(words: list[_Word]) -> tuple[int | None, list[_Word]]:
    """Return the time in seconds that the words begin with, and the rest."""
    if words and words[0][1] is None and _WHOLE.fullmatch(words[0][0]):
        return int(words[0][0]), words[1:]
    return None, words


def _source_and_tags(words: list[_Word]) -> tuple[str | None, Tags]:
    source = None
    tags = []
    for key, value in words:
        if value is None:
            raise ValueError(f"{key!r} is no key=value")
        if key == "source" and source is None:
            source = value
        elif not key.strip() or not value.strip():
            raise ValueError(f"tag {key!r} has the value {value!r}; neither may be blank")
        else:
            tags.append((key, value))
    return source, tuple(tags)


def _named(name: str) -> str:
    if not name.strip():
        raise ValueError("the name is blank")
    return name


def _decimal(text: str, what: str) -> float:
    number = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"the {what} is {text[:40]!r}, which is no finite number")
    return number


def _whole(text: str, what: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"the {what} is {text[:40]!r}, which is no whole number")
    return int(text)


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise ValueError(f"{what} is {text[:40]!r}, which is no UUID") from exc
