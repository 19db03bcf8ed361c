"""Points as the rows of JSON that Apptuit takes: no I/O, no clock, no thread.

Source:
    Apptuit's client for Python and its client for Java: `POST /api/put`.
"""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.apptuit.exceptions import ApptuitDataError, ApptuitTagsError
from wf_instrument.backends.apptuit.names import is_valid_name
from wf_instrument.guard import RateLimitedLog
from wf_instrument.value_text import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["MAX_TAGS_LIMIT", "Row", "RowMaker", "body_of"]

log = logging.getLogger(__name__)

#: Source: Apptuit's client for Python, README, "Restrictions on Tags and Metric names".
MAX_TAGS_LIMIT: Final = 25


class Row:
    """A series, ready to have times and values put into it."""

    __slots__ = ("_head", "_tail")

    def __init__(self, metric: str, tags: Mapping[str, Any]) -> None:
        self._head = f'{{"metric":{_json(metric)},"timestamp":'
        self._tail = f',"tags":{_json(tags)}}}'

    def at(self, timestamp: float, value: object) -> str | None:
        """Return the row of one point; None when the value is no finite number.

        Raises:
            ApptuitDataError: The time is none.
        """
        try:
            number = float(value)  # type: ignore[arg-type]  # what is no number raises
        except (TypeError, ValueError, OverflowError):
            return None
        if not math.isfinite(number):
            return None
        return f'{self._head}{_json(timestamp)},"value":{number!r}{self._tail}'


class RowMaker:
    """Makes rows.

    Args:
        sanitizer: Makes names fit; None has those that do not fit refused.
        global_tags: Tags of all points; a point's own win.
    """

    def __init__(
        self, sanitizer: Callable[[str], str] | None, global_tags: Mapping[str, Any] | None = None
    ) -> None:
        self._sanitizer = sanitizer
        self._global_tags = dict(global_tags or {})
        self._log = RateLimitedLog(log)

    def series(self, metric: str, tags: Mapping[str, Any] | None) -> Row:
        """Return what makes the rows of a series.

        Raises:
            ApptuitDataError: It has no tags, more than 25, or a name that is refused; also a
                `ValueError`.
            ApptuitTagsError: The tags are no dictionary, or a key is no text.
        """
        if not isinstance(metric, str):
            raise ApptuitTagsError(f"metric name is {metric!r}; give a text")
        all_tags = self._with_global(metric, tags)
        if self._sanitizer is None:
            for name in (metric, *all_tags):
                if not is_valid_name(name):
                    raise ApptuitDataError(
                        f"{name!r} of metric {metric!r} is no name; give letters, digits and "
                        ". - _ / only, or choose a sanitize_mode"
                    )
            return Row(metric, all_tags)
        fitting = {self._sanitizer(key): value for key, value in all_tags.items()}
        if len(fitting) < len(all_tags):
            self._log.warning(
                "collision",
                "tag keys of %r have the same name once sanitized; the last of them counts",
                metric,
            )
        return Row(self._sanitizer(metric), fitting)

    def _with_global(self, metric: str, tags: Mapping[str, Any] | None) -> dict[str, Any]:
        if tags is not None and not isinstance(tags, dict):
            raise ApptuitTagsError(f"tags of {metric!r} are {tags!r}; give a dictionary")
        all_tags = {**self._global_tags, **(tags or {})}
        if not all_tags:
            raise ApptuitDataError(
                f"metric {metric!r} has no tags; give it some, or the client global_tags"
            )
        if len(all_tags) > MAX_TAGS_LIMIT:
            raise ApptuitDataError(
                f"metric {metric!r} has {len(all_tags)} tags; Apptuit takes {MAX_TAGS_LIMIT}"
            )
        for key in all_tags:
            if not isinstance(key, str):
                raise ApptuitTagsError(f"metric {metric!r} has the tag key {key!r}; give a text")
        return all_tags


def body_of(rows: Sequence[str]) -> bytes:
    """Return rows as one JSON text."""
    return f"[{','.join(rows)}]".encode()


def _json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as exc:
        raise ApptuitDataError(f"{text_of(value)!r} cannot be written as JSON: {exc}") from exc


def _plain(value: Any) -> object:
    """Return what stands in JSON for something it does not know."""
    item = getattr(value, "item", None)  # a number of numpy
    return item() if callable(item) else text_of(value)
