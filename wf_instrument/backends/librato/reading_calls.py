"""Calls that read measurements: of one metric with tags, and of composites.

Source:
    Librato API reference, "Retrieve measurements", "Composite metrics".
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from wf_instrument.backends.librato.json_text import JsonObject, path_of, to_object
from wf_instrument.backends.librato.requester import Requester

__all__ = ["ReadingCalls"]

_MOST_PAGES: Final = 10_000


class ReadingCalls(Requester):
    """The part of a connection that is about measurements."""

    def get_tagged(self, name: str, **query_props: object) -> JsonObject:
        """Return the measurements of a metric, by tags, of all pages.

        Args:
            name: Of the metric; the sanitizer is applied.
            query_props: `start_time` or `duration`; `resolution`, 1 second by default; `tags` or
                `tags_search`; `group_by`, `summary_function`, ...

        Raises:
            ValueError: There is no time, or too much of it; `tags` and `tags_search` are given.
        """
        if "start_time" not in query_props and "duration" not in query_props:
            raise ValueError("measurements of which time? give start_time or duration")
        if {"start_time", "end_time", "duration"} <= query_props.keys():
            raise ValueError("give two of start_time, end_time and duration, not all three")
        if "tags" in query_props and "tags_search" in query_props:
            raise ValueError("give tags or tags_search, not both")
        query = {"resolution": 1, **query_props}
        path = path_of("measurements", self.sanitize(name))
        answer = to_object(self._mexe(path, query_props=query), f"measurements of {name!r}")
        return self._all_pages(path, answer)

    get_measurements = get_tagged

    def get_composite(self, compose: str, **query_props: object) -> Any:
        """Return the measurements of a formula; of tagged metrics if the connection has tags.

        Raises:
            ValueError: There is no `start_time`.
        """
        if self.get_tags():
            return self.get_composite_tagged(compose, **query_props)
        return self._mexe("metrics", query_props=_composite(compose, query_props))

    def get_composite_tagged(self, compose: str, **query_props: object) -> Any:
        """Return the measurements of a formula over tagged metrics.

        Raises:
            ValueError: There is no `start_time`.
        """
        return self._mexe("measurements", query_props=_composite(compose, query_props))

    def _all_pages(self, path: str, answer: JsonObject) -> JsonObject:
        page = answer
        for _ in range(_MOST_PAGES):
            query = _next_query(page)
            if query is None:
                break
            page = to_object(self._mexe(path, query_props=query), "a page of measurements")
            _append(answer, page)
        if "links" in answer:
            answer["links"] = [one for one in answer["links"] if one.get("rel") != "next"]
        return answer


def _composite(compose: str, query_props: dict[str, object]) -> dict[str, object]:
    if "start_time" not in query_props:
        raise ValueError("a composite of which time? give start_time")
    return {"resolution": 1, **query_props, "compose": compose}


def _next_query(page: JsonObject) -> dict[str, object] | None:
    """Return the parameters of the next page; its address is not followed, which may be any."""
    for link in page.get("links") or ():
        if link.get("rel") == "next" and link.get("href"):
            query: dict[str, object] = {}
            for key, value in parse_qsl(urlsplit(link["href"]).query):
                if key.endswith("[]"):
                    query[key[:-2]] = [*query.get(key[:-2], ()), value]  # type: ignore[misc]  # lists alone
                else:
                    query[key] = value
            return query or None
    return None


def _append(answer: JsonObject, page: JsonObject) -> None:
    series = answer.setdefault("series", [])
    known = {json.dumps(one.get("tags"), sort_keys=True): one for one in series}
    for one in page.get("series") or ():
        same = known.get(json.dumps(one.get("tags"), sort_keys=True))
        if same is None:
            series.append(one)
        else:
            same.setdefault("measurements", []).extend(one.get("measurements") or ())
