"""The calls of the REST API, each a method of the client.

Source:
    The Python client `signalfx` 1.1.16, `signalfx.rest`; the vendor's developer pages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from requests import Response

__all__ = ["RestCalls"]


class RestCalls(ABC):
    """What can be asked and changed; how a request is made is the subclass's matter."""

    def search_metrics(
        self,
        query: str,
        order_by: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Search metrics; the service gives 50 unless `limit` says otherwise."""
        return self._search("metric", query, order_by, offset, limit, timeout)

    def search_dimensions(
        self,
        query: str,
        order_by: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Search dimensions."""
        return self._search("dimension", query, order_by, offset, limit, timeout)

    def search_metric_time_series(
        self,
        query: str,
        order_by: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Search metric time series."""
        return self._search("metrictimeseries", query, order_by, offset, limit, timeout)

    def search_tags(
        self,
        query: str,
        order_by: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Search tags."""
        return self._search("tag", query, order_by, offset, limit, timeout)

    def get_metric_by_name(self, metric_name: str, **kwargs: Any) -> Any:
        """Return a metric."""
        return self._read("metric", metric_name, **kwargs)

    def update_metric_by_name(
        self,
        metric_name: str,
        metric_type: str,
        description: str | None = None,
        custom_properties: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Change a metric; what is not given stays as it is."""
        given = {"description": description, "customProperties": custom_properties, "tags": tags}
        path = ("metric", metric_name)
        body = {"type": metric_type.upper(), **self._completed(path, given, kwargs)}
        return self._put(path, body, **kwargs)

    def get_dimension(self, key: str, value: str, **kwargs: Any) -> Any:
        """Return a dimension."""
        return self._read("dimension", key, value, **kwargs)

    def update_dimension(
        self,
        key: str,
        value: str,
        description: str | None = None,
        custom_properties: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Change a dimension; what is not given stays as it is."""
        given = {"description": description, "customProperties": custom_properties, "tags": tags}
        path = ("dimension", key, value)
        body = {**self._completed(path, given, kwargs), "key": key, "value": value}
        return self._put(path, body, **kwargs)

    def get_metric_time_series(self, mts_id: str, **kwargs: Any) -> Any:
        """Return a metric time series."""
        return self._read("metrictimeseries", mts_id, **kwargs)

    def get_tag(self, tag_name: str, **kwargs: Any) -> Any:
        """Return a tag."""
        return self._read("tag", tag_name, **kwargs)

    def update_tag(
        self,
        tag_name: str,
        description: str | None = None,
        custom_properties: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Change a tag; what is not given stays as it is."""
        given = {"description": description, "customProperties": custom_properties}
        path = ("tag", tag_name)
        return self._put(path, self._completed(path, given, kwargs), **kwargs)

    def delete_tag(
        self, tag_name: str, *, ignore_not_found: bool = False, **kwargs: Any
    ) -> Response:
        """Delete a tag; returns the response."""
        return self._delete("tag", tag_name, ignore_not_found=ignore_not_found, **kwargs)

    def get_organization(self, **kwargs: Any) -> Any:
        """Return the organisation of the token."""
        return self._read("organization", **kwargs)

    def get_chart(self, id: str, **kwargs: Any) -> Any:  # noqa: A002 - the older client's name
        """Return a chart."""
        return self._read("chart", id, **kwargs)

    def get_dashboard(self, id: str, **kwargs: Any) -> Any:  # noqa: A002 - as above
        """Return a dashboard."""
        return self._read("dashboard", id, **kwargs)

    def get_dashboards(
        self, name: str | None = None, batch_size: int = 100, **kwargs: Any
    ) -> list[Any]:
        """Return all dashboards, or those of a name."""
        return self._pages("dashboard", batch_size, {"name": name}, **kwargs)

    def get_dashboard_group(self, id: str, **kwargs: Any) -> Any:  # noqa: A002 - as above
        """Return a dashboard group."""
        return self._read("dashboardgroup", id, **kwargs)

    def get_dashboard_groups(
        self, name: str | None = None, batch_size: int = 100, **kwargs: Any
    ) -> list[Any]:
        """Return all dashboard groups, or those of a name."""
        return self._pages("dashboardgroup", batch_size, {"name": name}, **kwargs)

    def get_detector(self, id: str, **kwargs: Any) -> Any:  # noqa: A002 - as above
        """Return a detector."""
        return self._read("detector", id, **kwargs)

    def get_detectors(
        self,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        batch_size: int = 100,
        **kwargs: Any,
    ) -> list[Any]:
        """Return all detectors, or those of a name and tags."""
        return self._pages("detector", batch_size, {"name": name, "tags": tags}, **kwargs)

    def validate_detector(self, detector: Mapping[str, Any], **kwargs: Any) -> None:
        """Have a detector checked; an error status says that it is no good."""
        self._call("POST", ("detector", "validate"), body=detector, **kwargs)

    def create_detector(self, detector: Mapping[str, Any], **kwargs: Any) -> Any:
        """Make a detector."""
        return self._call("POST", ("detector",), body=detector, **kwargs).json()

    def update_detector(self, detector_id: str, detector: Mapping[str, Any], **kwargs: Any) -> Any:
        """Replace a detector."""
        return self._put(("detector", detector_id), detector, **kwargs)

    def delete_detector(
        self, detector_id: str, *, ignore_not_found: bool = False, **kwargs: Any
    ) -> Response:
        """Delete a detector; returns the response."""
        return self._delete("detector", detector_id, ignore_not_found=ignore_not_found, **kwargs)

    def get_detector_events(self, detector_id: str, **kwargs: Any) -> Any:
        """Return the events of a detector."""
        return self._read("detector", detector_id, "events", **kwargs)

    def get_detector_incidents(self, detector_id: str, **kwargs: Any) -> Any:
        """Return the incidents of a detector."""
        return self._read("detector", detector_id, "incidents", **kwargs)

    def get_incident(self, incident_id: str, **kwargs: Any) -> Any:
        """Return an incident."""
        return self._read("incident", incident_id, **kwargs)

    def get_incidents(
        self,
        offset: int = 0,
        limit: int | None = None,
        include_resolved: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return a page of incidents."""
        is_wanted = "true" if include_resolved else "false"
        query = {"offset": offset, "limit": limit, "includeResolved": is_wanted}
        return self._read("incident", query=query, **kwargs)

    def clear_incident(self, incident_id: str, **kwargs: Any) -> Response:
        """Clear an incident; returns the response."""
        return self._call("PUT", ("incident", incident_id, "clear"), **kwargs)

    def get_datalinks(
        self,
        context: str | None = None,
        propertyName: str | None = None,  # noqa: N803 - the older client's name
        propertyValue: str | None = None,  # noqa: N803 - as above
        orderBy: str | None = None,  # noqa: N803 - as above
        offset: int = 0,
        limit: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return a page of data links."""
        query = {
            "context": context,
            "propertyName": propertyName,
            "propertyValue": propertyValue,
            "orderBy": orderBy,
            "offset": offset,
            "limit": limit,
        }
        return self._read("crosslink", query=query, **kwargs)

    def get_datalink(self, id: str, **kwargs: Any) -> Any:  # noqa: A002 - as above
        """Return a data link."""
        return self._read("crosslink", id, **kwargs)

    def _search(
        self,
        kind: str,
        query: str,
        order_by: str | None,
        offset: int | None,
        limit: int | None,
        timeout: float | None,
    ) -> Any:
        asked = {"query": query, "orderBy": order_by, "offset": offset, "limit": limit}
        return self._read(kind, query=asked, timeout=timeout)

    @abstractmethod
    def _call(self, method: str, path: Sequence[str], **kwargs: Any) -> Response:
        """Make a request."""

    @abstractmethod
    def _read(self, *path: str, **kwargs: Any) -> Any:
        """Return what stands at a path."""

    @abstractmethod
    def _put(self, path: Sequence[str], body: object, **kwargs: Any) -> Any:
        """Put something at a path, and return the answer."""

    @abstractmethod
    def _delete(self, *path: str, ignore_not_found: bool, **kwargs: Any) -> Response:
        """Delete what stands at a path."""

    @abstractmethod
    def _pages(
        self, path: str, batch_size: int, query: Mapping[str, object], **kwargs: Any
    ) -> list[Any]:
        """Return the results of all pages."""

    @abstractmethod
    def _completed(
        self, path: Sequence[str], given: Mapping[str, object], kwargs: Mapping[str, Any]
    ) -> dict[str, object]:
        """Return what is given, and of what is not given what the service has."""
