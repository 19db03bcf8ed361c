"""Alerts: conditions, and whom they tell.

Source:
    Librato API reference, "Alerts".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.librato.conditions import Condition
from wf_instrument.backends.librato.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wf_instrument.backends.librato.alert_calls import AlertCalls
    from wf_instrument.backends.librato.json_text import JsonObject

__all__ = ["Alert"]

#: Fields that are the service's own affair.
_NOT_SENT: Final = frozenset({"id", "created_at", "updated_at"})


class Alert:
    """One alert; fields of the service that are not known here are kept and saved.

    Args:
        connection: Saves it.
        name: Up to 255 of `A-Za-z0-9.:-`.
        _id: None until it is saved.
        description: For people.
        version: Of the form of alerts; 2.
        md: Whether it watches tagged metrics; true by itself when a condition has tags.
        conditions: `Condition` objects, dictionaries, or sequences of `Condition`'s arguments.
        services: `Service` objects, ids (numbers or texts), or dictionaries.
        attributes: `runbook_url`, for example; one left out is unset by saving.
        active: Whether it may be triggered.
        rearm_seconds: A multiple of 60, until it may be triggered again.
        fields: All others of the service.
    """

    def __init__(
        self,
        connection: AlertCalls,
        name: str,
        _id: int | str | None = None,
        description: str | None = None,
        version: int = 2,
        md: bool = False,
        conditions: Iterable[Condition | Mapping[str, Any] | Sequence[Any]] = (),
        services: Iterable[Service | Mapping[str, Any] | Sequence[Any] | int | str] = (),
        attributes: Mapping[str, Any] | None = None,
        active: bool = True,
        rearm_seconds: int | None = None,
        **fields: object,
    ) -> None:
        self.connection = connection
        self.name = name
        self._id = _id
        self.description = description
        self.version = version
        self.md = md
        self.conditions: list[Condition] = [_condition(one) for one in conditions or ()]
        self.services: list[Service] = [_service(one) for one in services or ()]
        self.attributes: dict[str, Any] = dict(attributes or {})
        self.active = active
        self.rearm_seconds = rearm_seconds
        self._more = fields
        self._given: JsonObject = {}

    @property
    def id(self) -> int | str | None:
        """The same as `_id`."""
        return self._id

    @classmethod
    def from_dict(cls, connection: AlertCalls, data: JsonObject) -> Alert:
        """Return the alert of an answer, whose every field it keeps."""
        fields = {str(key): value for key, value in data.items()}
        fields.pop("connection", None)
        alert = cls(connection, fields.pop("name"), fields.pop("id", None), **fields)
        alert._given = dict(data)
        return alert

    def __repr__(self) -> str:
        return f"Alert<{self.name}>"

    def add_condition_for(
        self,
        metric_name: str,
        source: str | None = "*",
        tags: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
    ) -> Condition:
        """Add a condition and return it, to say what it is; `save` saves it."""
        condition = Condition(metric_name, source, tags)
        self.conditions.append(condition)
        return condition

    def add_service(self, service_id: Service | int | str) -> None:
        """Tell one more service; `save` saves it."""
        self.services.append(_service(service_id))

    def get_payload(self) -> JsonObject:
        """Return what is saved: without its conditions an alert would lose them.

        Raises:
            ValueError: A condition says nothing, or a service has no id.
        """
        conditions = [one.get_payload() for one in self.conditions]
        payload: JsonObject = {k: v for k, v in self._more.items() if k not in _NOT_SENT}
        payload |= {
            "name": self.name,
            "md": self.md or any(one["tags"] for one in conditions),
            "attributes": self.attributes,
            "version": self.version,
            "active": self.active,
            "services": [_service_id(one) for one in self.services],
            "conditions": conditions,
        }
        for name in ("description", "rearm_seconds"):
            value = getattr(self, name)
            if value is not None or name in self._given:
                payload[name] = value
        return payload

    def save(self) -> None:
        """Save it: a new one is created, another is changed."""
        if self._id is None:
            payload = self.get_payload()
            self._id = self.connection.create_alert(payload.pop("name"), **payload).id
        else:
            self.connection.update_alert(self)


def _condition(given: Any) -> Condition:
    if isinstance(given, Condition):
        return given
    if hasattr(given, "items"):
        return Condition.from_dict(given)
    return Condition(*([given] if isinstance(given, str) else given))


def _service(given: Any) -> Service:
    if isinstance(given, Service):
        return given
    if hasattr(given, "items"):
        return Service.from_dict(None, dict(given))
    # A text is an id as a whole.
    return Service(given) if isinstance(given, (int, str)) else Service(*given)


def _service_id(service: Service) -> int | str:
    if service.id is None:
        raise ValueError(f"{service!r} has no id; create it first, or give an id")
    return service.id
