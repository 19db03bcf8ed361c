"""Calls about metrics: submit, list, read, update, delete.

Source:
    Librato API reference, "Metrics", "Measurements", "Jobs".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wf_instrument.backends.librato.jobs import Job
from wf_instrument.backends.librato.json_text import JsonObject, path_of, to_object
from wf_instrument.backends.librato.listing import Listing
from wf_instrument.backends.librato.measurements import legacy_item, metric_kind, tagged_item
from wf_instrument.backends.librato.metrics import Metric
from wf_instrument.backends.librato.requester import Requester
from wf_instrument.backends.librato.tag_inheritance import resolve_tags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wf_instrument.sender import HttpAnswer

__all__ = ["MetricCalls"]


class MetricCalls(Requester):
    """The part of a connection that is about metrics."""

    def list_metrics(self, **query_props: object) -> Listing[Metric]:
        """Return all metrics, or those whose name contains `name`; pages come as needed."""
        return Listing(
            lambda query: self._mexe("metrics", query_props=query),
            "metrics",
            lambda item: Metric.from_dict(self, item),
            query_props,
        )

    def list_all_metrics(self, **query_props: object) -> Listing[Metric]:
        """Return the same as `list_metrics`."""
        return self.list_metrics(**query_props)

    def get(self, name: str, **query_props: object) -> Metric:
        """Return a metric; with `count`, or `start_time`, its measurements too, of all pages."""
        path = path_of("metrics", self.sanitize(name))
        answer = to_object(self._mexe(path, query_props=query_props), f"metric {name!r}")
        metric = Metric.from_dict(self, answer)
        before: object = query_props.get("start_time")
        # The service cuts an answer short and says where to go on, unless a count was given.
        while metric.query.get("next_time") and "count" not in query_props:
            start = metric.query["next_time"]
            if start == before:
                break
            before = start
            page = Metric.from_dict(
                self, self._mexe(path, query_props={**query_props, "start_time": start})
            )
            for source, points in page.measurements.items():
                metric.measurements.setdefault(source, []).extend(points)
            metric.query = page.query
        return metric

    def submit(
        self,
        name: str,
        value: float | None,
        type: str = "gauge",  # noqa: A002 - the name programs pass
        **query_props: object,
    ) -> None:
        """Submit one measurement: tagged if it or the connection has tags.

        Args:
            name: Of the metric, which is created if need be; the sanitizer is applied.
            value: A number; None with `count` and `sum` of a summary.
            type: `gauge` or `counter`; a counter has no tags.
            query_props: `source`, `measure_time`, `description`, ...; with tags `time`, `tags`,
                `inherit_tags`.

        Raises:
            ValueError: It cannot be sent: no finite number, or a counter with tags.
            ClientError: It was not delivered.
        """
        tags = resolve_tags(query_props, self.tags, empty_inherits=False)
        kind = metric_kind(type, is_tagged=tags is not None)
        clean = self.sanitize(name)
        if tags is not None:
            item = tagged_item(clean, value, query_props, tags, always_tags=True)
            self._mexe("measurements", method="POST", query_props={"measurements": [item]})
            return
        body: JsonObject = {"gauges": [], "counters": []}
        body[f"{kind}s"].append(legacy_item(clean, value, query_props))
        self._mexe("metrics", method="POST", query_props=body)

    def submit_tagged(self, name: str, value: float | None, **query_props: object) -> None:
        """Submit one measurement on the tagged path; see `submit`."""
        item = self.create_tagged_payload(name, value, **query_props)
        self._mexe("measurements", method="POST", query_props={"measurements": [item]})

    def create_tagged_payload(
        self, name: str, value: float | None, **query_props: object
    ) -> JsonObject:
        """Return the measurement that `submit_tagged` would send.

        Raises:
            ValueError: It cannot be sent.
        """
        has_tags = "tags" in query_props
        tags = resolve_tags(query_props, self.tags, empty_inherits=False)
        return tagged_item(
            self.sanitize(name), value, query_props, tags or {}, always_tags=has_tags
        )

    def update(self, name: str, **query_props: object) -> Any:
        """Change properties of a metric; with `type` it is created if need be."""
        path = path_of("metrics", self.sanitize(name))
        return self._mexe(path, method="PUT", query_props=query_props)

    def update_many(self, names: Iterable[str], **query_props: object) -> Job | None:
        """Change properties of several metrics; the job that does it, if it is not done at once."""
        listed = [self.sanitize(name) for name in names]
        if not listed:
            return None
        return self._job(self._exchange("metrics", "PUT", {"names": listed, **query_props}))

    def update_matching(self, pattern: str, **query_props: object) -> Job | None:
        """Change properties of all metrics whose names match, `*.time` for example."""
        return self._job(self._exchange("metrics", "PUT", {"names": pattern, **query_props}))

    def create_composite(self, name: str, compose: str, **query_props: object) -> Any:
        """Create a composite metric, or change the one there is."""
        path = path_of("metrics", self.sanitize(name))
        body = {**query_props, "composite": compose, "type": "composite"}
        return self._mexe(path, method="PUT", query_props=body)

    def delete(self, names: str | Iterable[str]) -> None:
        """Delete one metric, or several; none when the list is empty.

        Raises:
            ValueError: A name holds `*`, which `delete_matching` is for.
        """
        single = isinstance(names, str)
        listed = [names] if isinstance(names, str) else list(names)
        for name in listed:
            # A sanitizer would make another metric's name of it.
            if "*" in name:
                raise ValueError(f"{name!r} is a pattern; delete_matching() deletes what it means")
        clean = [self.sanitize(name) for name in listed]
        if single:
            # Its own route: some ways lose the body of a DELETE.
            self._mexe(path_of("metrics", clean[0]), method="DELETE")
        elif clean:
            self._mexe("metrics", method="DELETE", query_props={"names": clean})

    def delete_matching(self, pattern: str) -> Job | None:
        """Delete all metrics whose names match; the job that does it, if it is not done at once."""
        return self._job(self._exchange("metrics", "DELETE", {"names": pattern}))

    def get_job(self, job: Job | int | str) -> Job:
        """Return how far a job is."""
        job_id = job.id if isinstance(job, Job) else job
        return Job.from_dict(to_object(self._mexe(path_of("jobs", job_id)), "a job"))

    def _job(self, reply: HttpAnswer) -> Job | None:
        content = self._content(reply)
        if isinstance(content, dict) and "state" in content:
            return Job.from_dict(content)
        where = reply.headers.get("location", "").rstrip("/")
        return Job(where.rpartition("/")[2]) if reply.status == 202 and where else None
