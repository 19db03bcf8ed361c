"""Events: as lines for a proxy, as JSON for the service itself. No I/O, no clock, no thread.

Source:
    Wavefront SDK, README, "Single Event"; Wavefront API, `POST /api/v2/event`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wf_instrument.backends.wavefront.lines import whole
from wf_instrument.backends.wavefront.text import (
    is_blank,
    sanitize_value,
    sanitize_without_quotes,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["event_to_json", "event_to_line_data"]


def event_to_line_data(
    name: str,
    start_time: int,
    end_time: int | None,
    source: str | None,
    tags: Iterable[str] | None,
    annotations: Mapping[str, str] | None,
    default_source: str = "",
) -> str:
    """Return the line of one event, its newline included.

    Args:
        name: What happened.
        start_time: Unix time in milliseconds.
        end_time: The same; the millisecond after the start when missing.
        source: Where it happened; `default_source` when blank, left out when that is blank too.
        tags: Words.
        annotations: Keys and values, such as `severity`, `type` and `details`.
        default_source: In place of a blank source.

    Raises:
        ValueError: Name, a tag, an annotation's key or its value is blank; the start is missing
            or zero.
    """
    start, end = _times(name, start_time, end_time)
    parts = ["@Event", str(start), str(end), sanitize_value(name)]
    parts += [
        f"{sanitize_without_quotes(key)}={sanitize_value(value)}"
        for key, value in _annotations(name, annotations)
    ]
    host = _host(source, default_source)
    if host:
        parts.append(f"host={sanitize_value(host)}")
    parts += [f"tag={sanitize_value(tag)}" for tag in _tags(name, tags)]
    return " ".join(parts) + "\n"


def event_to_json(
    name: str,
    start_time: int,
    end_time: int | None,
    source: str | None,
    tags: Iterable[str] | None,
    annotations: Mapping[str, str] | None,
    default_source: str = "",
) -> str:
    """Return one event as the JSON object the service takes; see `event_to_line_data`."""
    start, end = _times(name, start_time, end_time)
    host = _host(source, default_source)
    return json.dumps(
        {
            "name": to_text(name).strip(),
            "annotations": dict(_annotations(name, annotations)),
            "hosts": [host] if host else [],
            "startTime": start,
            "endTime": end,
            "tags": _tags(name, tags),
        }
    )


def _times(name: str, start_time: int, end_time: int | None) -> tuple[int, int]:
    if is_blank(name):
        raise ValueError(f"event name is {name!r}; it must not be blank")
    start = whole(name, start_time) if start_time else 0
    if not start:
        raise ValueError(f"event {name!r} starts at {start_time!r}; give Unix milliseconds")
    return start, whole(name, end_time) if end_time else start + 1


def _host(source: str | None, default_source: str) -> str:
    return to_text(default_source if is_blank(source) else source).strip()


def _annotations(name: str, annotations: Mapping[str, str] | None) -> list[tuple[str, str]]:
    pairs = []
    for key, value in (annotations or {}).items():
        if is_blank(key) or is_blank(value):
            raise ValueError(
                f"event {name!r} has the annotation {key!r}: {value!r}; neither may be blank"
            )
        pairs.append((to_text(key), to_text(value)))
    return pairs


def _tags(name: str, tags: Iterable[str] | None) -> list[str]:
    # A text is a tag, not the tags of its letters.
    words = [tags] if isinstance(tags, str) else list(tags or ())
    for word in words:
        if is_blank(word):
            raise ValueError(f"event {name!r} has the tag {word!r}; it must not be blank")
    return [to_text(word) for word in words]
