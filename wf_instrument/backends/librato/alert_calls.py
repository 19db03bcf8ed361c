"""Calls about alerts and outbound services.

Source:
    Librato API reference, "Alerts", "Services".
"""

from __future__ import annotations

from typing import Any

from wf_instrument.backends.librato.alerts import Alert
from wf_instrument.backends.librato.json_text import JsonObject, path_of, to_object
from wf_instrument.backends.librato.listing import Listing
from wf_instrument.backends.librato.requester import Requester
from wf_instrument.backends.librato.services import Service

__all__ = ["AlertCalls"]


class AlertCalls(Requester):
    """The part of a connection that is about alerts and whom they tell."""

    def list_alerts(self, active_only: bool | None = None, **query_props: object) -> Listing[Alert]:
        """Return all alerts, or those whose name contains `name`.

        Args:
            active_only: Whether those that are not active are left out; the service gives all, and
                so does this call unless it is told.
            query_props: `name`, `orderby`, `sort`, ...
        """
        return self._alerts(query_props, active_only=bool(active_only))

    def get_alert(self, name: str) -> Alert | None:
        """Return the alert of exactly this name; None when there is none."""
        # The service looks for the name anywhere in a name.
        same = (one for one in self._alerts({"name": name}) if one.name == name)
        return next(same, None)

    def get_alert_by_id(self, id: int | str) -> Alert:  # noqa: A002 - the service's name
        """Return the alert of this id."""
        return self._alert(to_object(self._mexe(path_of("alerts", id)), f"alert {id!r}"))

    def create_alert(self, name: str, **query_props: Any) -> Alert:
        """Create an alert.

        Args:
            name: Up to 255 of `A-Za-z0-9.:-`.
            query_props: Of `Alert`: `conditions`, `services`, `description`, `attributes`, ...
        """
        alert = Alert(self, name, **query_props)
        body = alert.get_payload()
        answer = to_object(self._mexe("alerts", method="POST", query_props=body), "an alert")
        # What the service leaves out of its answer would be lost by the next save.
        kept = {key: value for key, value in body.items() if value and not answer.get(key)}
        return self._alert({**body, **answer, **kept})

    def update_alert(self, alert: Alert, **query_props: object) -> Any:
        """Save an alert, with other properties if any are given."""
        body = {**alert.get_payload(), **query_props}
        return self._mexe(path_of("alerts", _id_of(alert)), method="PUT", query_props=body)

    def delete_alert(self, name: str) -> None:
        """Delete the alert of exactly this name; nothing when there is none."""
        alert = self.get_alert(name)
        if alert is not None:
            self._mexe(path_of("alerts", _id_of(alert)), method="DELETE")

    def clear_alert(self, alert: Alert | int | str) -> None:
        """Take a triggered alert as settled."""
        self._mexe(path_of("alerts", _id_of(alert), "clear"), method="POST")

    def get_alert_status(self, alert: Alert | int | str) -> str:
        """Return `triggered` or `ok`."""
        answer = self._mexe(path_of("alerts", _id_of(alert), "status"))
        return str(to_object(answer, "a status").get("status"))

    def list_alert_status(self) -> JsonObject:
        """Return the alerts that fire and those that were cleared of late, by their ids."""
        return to_object(self._mexe("alerts/status"), "a status")

    def add_alert_service(self, alert: Alert | int | str, service: Service | int | str) -> None:
        """Have an alert tell one more service, at once."""
        path = path_of("alerts", _id_of(alert), "services")
        self._mexe(path, method="POST", query_props={"service": _id_of(service)})

    def remove_alert_service(self, alert: Alert | int | str, service: Service | int | str) -> None:
        """Have an alert tell a service no more, at once."""
        path = path_of("alerts", _id_of(alert), "services", _id_of(service))
        self._mexe(path, method="DELETE")

    def list_services(self, **query_props: object) -> Listing[Service]:
        """Return all outbound services."""
        return Listing(
            lambda query: self._mexe("services", query_props=query),
            "services",
            lambda item: Service.from_dict(self, item),
            query_props,
        )

    def get_service(self, id: int | str) -> Service:  # noqa: A002 - the service's name
        """Return the outbound service of this id."""
        answer = to_object(self._mexe(path_of("services", id)), f"service {id!r}")
        return Service.from_dict(self, answer)

    def create_service(self, type: str, title: str, settings: dict[str, Any]) -> Service:  # noqa: A002 - the service's name
        """Create an outbound service.

        Args:
            type: `mail`, `slack`, ...
            title: For people.
            settings: Of this type.
        """
        body = {"type": type, "title": title, "settings": settings}
        answer = to_object(self._mexe("services", method="POST", query_props=body), "a service")
        return Service.from_dict(self, {**body, **answer})

    def update_service(self, service: Service | int | str, **query_props: object) -> None:
        """Save an outbound service, with other properties if any are given."""
        body = dict(query_props)
        if isinstance(service, Service):
            body = {**service.get_payload(), **body}
            body.pop("id")
        self._mexe(path_of("services", _id_of(service)), method="PUT", query_props=body)

    def delete_service(self, service: Service | int | str) -> None:
        """Delete an outbound service."""
        self._mexe(path_of("services", _id_of(service)), method="DELETE")

    def _alerts(
        self, query_props: dict[str, object], *, active_only: bool = False
    ) -> Listing[Alert]:
        return Listing(
            lambda query: self._mexe("alerts", query_props=query),
            "alerts",
            self._alert,
            query_props,
            keep=(lambda alert: alert.active) if active_only else None,
        )

    def _alert(self, data: JsonObject) -> Alert:
        return Alert.from_dict(self, data)


def _id_of(thing: Alert | Service | int | str) -> int | str:
    """Return an id.

    Raises:
        ValueError: There is none.
    """
    found = thing.id if isinstance(thing, (Alert, Service)) else thing
    if found is None:
        raise ValueError(f"{thing!r} has no id; save it first, or give an id")
    return found
