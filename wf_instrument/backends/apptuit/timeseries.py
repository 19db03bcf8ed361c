"""Names of series: a metric and its tags, also as one text, under which a registry has a metric.

Source:
    Apptuit's client for Python, README, "Tags/Metadata".
"""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.apptuit.exceptions import ApptuitDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TimeSeriesName", "decode_metric", "encode_metric"]

_CACHED: Final = 2048


def encode_metric(
    metric_name: str,
    metric_tags: Mapping[str, Any] | None = None,
    *,
    tags: Mapping[str, Any] | None = None,
) -> str:
    """Return name and tags as one text: `name{"a": 1, "b": "c"}`, keys sorted.

    Args:
        metric_name: The metric.
        metric_tags: Its tags.
        tags: The same, under another name.

    Raises:
        ApptuitDataError: The name is no text or empty, or the tags are no dictionary; also a
            `ValueError`.
        TypeError: The keys cannot be sorted, or JSON cannot hold a value.
    """
    given = tags if metric_tags is None else metric_tags
    if not isinstance(metric_name, str) or not metric_name:
        raise ApptuitDataError(f"metric name is {metric_name!r}; give a text that is not empty")
    if not isinstance(given, dict):
        raise ApptuitDataError(f"tags of {metric_name!r} are {given!r}; give a dictionary")
    return metric_name + json.dumps(given, sort_keys=True)


def decode_metric(encoded: str) -> tuple[str, dict[str, Any]]:
    """Return name and tags of a text that `encode_metric` made; no tags where there are none.

    The dictionary is the caller's own.

    Raises:
        ApptuitDataError: It is no such text; also a `ValueError`.
    """
    name, tags = _decoded(encoded)
    return name, copy.deepcopy(tags)


@lru_cache(maxsize=_CACHED, typed=True)
def _decoded(encoded: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(encoded, str) or not encoded:
        raise ApptuitDataError(f"encoded metric is {encoded!r}; give a text that is not empty")
    name, brace, rest = encoded.partition("{")
    if not brace:
        return name.strip(), {}
    try:
        tags = json.loads(brace + rest)
    except (ValueError, RecursionError) as exc:
        raise ApptuitDataError(
            f"encoded metric {encoded!r} has tags that are no JSON: {exc}"
        ) from exc
    return name.strip(), tags


class TimeSeriesName:
    """What tells a series from others.

    Args:
        metric: The metric.
        tags: Its tags; None for none.

    Raises:
        ApptuitDataError: The metric or a tag's key is empty; also a `ValueError`.
    """

    encode_metric = staticmethod(encode_metric)
    decode_metric = staticmethod(decode_metric)

    def __init__(self, metric: str, tags: dict[str, Any] | None = None) -> None:
        self.metric = metric
        self.tags = tags

    @property
    def metric(self) -> str:
        """The metric."""
        return self._metric

    @metric.setter
    def metric(self, metric: str) -> None:
        if not metric:
            raise ApptuitDataError(f"metric name is {metric!r}; it must not be empty")
        self._metric = metric

    @property
    def tags(self) -> dict[str, Any] | None:
        """The tags."""
        return self._tags

    @tags.setter
    def tags(self, tags: dict[str, Any] | None) -> None:
        if isinstance(tags, dict) and not all(tags):
            raise ApptuitDataError(
                f"tags of {self._metric!r} are {tags!r}; a key must not be empty"
            )
        self._tags = tags

    def __str__(self) -> str:
        return encode_metric(self._metric, self._tags or {})

    def shown(self, *more: str) -> str:
        """Return `metric{a:1, b:2}`, keys sorted, with further items behind the tags."""
        tags = self._tags if isinstance(self._tags, dict) else {}
        items = [f"{key}:{value}" for key, value in sorted(tags.items(), key=lambda kv: str(kv[0]))]
        return f"{self._metric}{{{', '.join((*items, *more))}}}"

    def __repr__(self) -> str:
        return self.shown()
