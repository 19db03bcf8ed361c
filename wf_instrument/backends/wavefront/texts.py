"""Names, sources and tags as the texts of a line: clean, within the limits, and made once.

Threads: any. The tables are dictionaries whose single operations the interpreter makes atomic,
    with or without a GIL; a text that two threads make at once is the same.
Loss: a table that is full is emptied, and what it held is made again.
"""

from __future__ import annotations

from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.limits import (
    MAX_HISTOGRAM_NAME,
    MAX_METRIC_NAME,
    MAX_POINT_TAG_KEY,
    MAX_POINT_TAG_PAIR,
    MAX_POINT_TAGS,
    MAX_SOURCE,
    MAX_SPAN_KEY,
    MAX_SPAN_NAME,
    MAX_SPAN_TAGS,
    MAX_SPAN_VALUE,
    Validator,
)
from wf_instrument.backends.wavefront.text import (
    clean_name,
    clean_value,
    in_quotes,
    is_blank,
    quoted_value,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLAIN", "Texts"]

_MAX_KEPT: Final = 4096
#: What is longer is rare, and would make a full table large.
_MAX_KEPT_LENGTH: Final = 300


class Texts:
    """The texts of one client's lines.

    Args:
        validator: Holds them against the limits; without one, nothing is.

    Attributes:
        metric_names: Quoted names by the names as given.
        sources: Quoted sources by the sources as given.
        point_tags: ` "key"="value"` by the pair as given.
    """

    def __init__(self, validator: Validator | None = None) -> None:
        self.validator = validator if validator is not None else Validator("off")
        self.metric_names: dict[object, str] = {}
        self.sources: dict[object, str] = {}
        self.point_tags: dict[tuple[object, object], str] = {}

    def metric_name(self, name: str) -> str:
        """Return a metric's name in quotes.

        Raises:
            ValueError: It is blank, or beyond the limit; as for all that follow.
        """
        known = self.metric_names.get(name) if type(name) is str else None
        return known or self._name("metric name", name, MAX_METRIC_NAME, self.metric_names)

    def histogram_name(self, name: str) -> str:
        """Return a histogram's name in quotes."""
        return self._name("histogram name", name, MAX_HISTOGRAM_NAME, None)

    def span_name(self, name: str) -> str:
        """Return a span's name in quotes, which keeps all characters but control characters."""
        if is_blank(name):
            raise ValueError(f"span name is {name!r}; it must not be blank")
        clean, _ = self.validator.fit("span name", to_text(name), clean_value(name), MAX_SPAN_NAME)
        return quoted_value(clean)

    def source(self, source: object, default_source: str) -> str:
        """Return a source in quotes; a blank one is the default."""
        given = default_source if is_blank(source) else source
        clean, fits = self.validator.fit("source", to_text(given), clean_value(given), MAX_SOURCE)
        text = quoted_value(clean)
        if fits and given is source:
            _keep(self.sources, source, text)
        return text

    def tags(self, name: str, tags: Mapping[str, str]) -> str:
        """Return point tags, each led by a space."""
        known = self.point_tags
        parts = []
        try:
            pairs = tags.items()
        except AttributeError as exc:
            raise ValueError(f"tags of {name!r} are {short_repr(tags)}; give a mapping") from exc
        for pair in pairs:
            try:
                part = known.get(pair)
            except Exception:  # noqa: BLE001 - a value that cannot be hashed, for whatever reason
                part = None
            parts.append(part or self._point_tag(name, *pair))
        if len(parts) > MAX_POINT_TAGS:
            number = self.validator.fit_number("point tags", name, len(parts), MAX_POINT_TAGS)
            del parts[number:]
        return "".join(parts)

    def span_tags(self, name: str, pairs: list[tuple[str, str]], wanted: int = 0) -> list[str]:
        """Return a span's tags; the last `wanted` ones are kept whatever the number."""
        texts = []
        for key, value in pairs:
            _check_pair(f"span {name!r}", key, value)
            fit = self.validator.fit
            clean_key, _ = fit("span tag key", name, clean_name(key), MAX_SPAN_KEY)
            clean, _ = fit("span tag value", name, clean_value(value), MAX_SPAN_VALUE)
            texts.append(f"{in_quotes(clean_key)}={quoted_value(clean)}")
        number = self.validator.fit_number("span tags", name, len(texts), MAX_SPAN_TAGS)
        del texts[number - wanted : len(texts) - wanted]
        return texts

    def _name(self, what: str, name: str, limit: int, table: dict[object, str] | None) -> str:
        if is_blank(name):
            raise ValueError(f"{what} is {name!r}; it must not be blank")
        clean, fits = self.validator.fit(what, to_text(name), clean_name(name), limit)
        text = in_quotes(clean)
        if fits and table is not None:
            _keep(table, name, text)
        return text

    def _point_tag(self, name: str, key: str, value: str) -> str:
        _check_pair(repr(name), key, value)
        fit = self.validator.fit
        clean_key, key_fits = fit("point tag key", name, clean_name(key), MAX_POINT_TAG_KEY)
        room = MAX_POINT_TAG_PAIR - len(clean_key) - 1
        clean, fits = fit("point tag value", name, clean_value(value), room)
        text = f" {in_quotes(clean_key)}={quoted_value(clean)}"
        # Of texts alone: 1 and True are the same key to a dictionary, and differ as texts.
        if key_fits and fits and type(key) is str and type(value) is str:
            _keep(self.point_tags, (key, value), text)
        return text


def _check_pair(whose: str, key: object, value: object) -> None:
    if is_blank(key):
        raise ValueError(f"{whose} has a tag without a key, its value is {short_repr(value)}")
    if is_blank(value):
        raise ValueError(
            f"tag {short_repr(key)} of {whose} is {short_repr(value)}; it must not be blank"
        )


def _keep(
    table: dict[object, str] | dict[tuple[object, object], str], key: object, text: str
) -> None:
    if len(text) <= _MAX_KEPT_LENGTH and type(key) in (str, tuple):
        if len(table) >= _MAX_KEPT:
            table.clear()
        table[key] = text  # type: ignore[index]  # either kind of table with its own kind of key


#: For lines that no client makes: without limits.
PLAIN: Final = Texts()
