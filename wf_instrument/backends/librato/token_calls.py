"""Calls about snapshots of charts, API tokens and chart tokens.

Source:
    Librato API reference, "Snapshots", "API Tokens", "Chart Tokens".
"""

from __future__ import annotations

from wf_instrument.backends.librato.json_text import JsonObject, path_of, to_object
from wf_instrument.backends.librato.listing import Listing
from wf_instrument.backends.librato.requester import Requester

__all__ = ["TokenCalls"]


class TokenCalls(Requester):
    """The part of a connection that is about what the service gives away."""

    def create_snapshot(self, subject: JsonObject, **query_props: object) -> JsonObject:
        """Have a picture of a chart made.

        Args:
            subject: `{"chart": {"id": 1, "type": "stacked"}}`.
            query_props: `duration` in seconds, `end_time`.

        Returns:
            `href`, `job_href` and `image_href`, at which it will be.
        """
        body = {"subject": subject, **query_props}
        return to_object(self._mexe("snapshots", method="POST", query_props=body), "a snapshot")

    def get_snapshot(self, id: int | str) -> JsonObject:  # noqa: A002 - the service's name
        """Return what `create_snapshot` did."""
        return to_object(self._mexe(path_of("snapshots", id)), f"snapshot {id!r}")

    def list_api_tokens(self, **query_props: object) -> Listing[JsonObject]:
        """Return the API tokens, or those whose names match `name`."""
        return Listing(
            lambda query: self._mexe("api_tokens", query_props=query),
            "api_tokens",
            dict,
            query_props,
        )

    def create_api_token(self, name: str, role: str = "recorder") -> JsonObject:
        """Create an API token.

        Args:
            name: For people.
            role: `admin`, `recorder` or `viewer`.
        """
        body = {"name": name, "role": role}
        return to_object(self._mexe("api_tokens", method="POST", query_props=body), "a token")

    def update_api_token(self, id: int | str, **query_props: object) -> None:  # noqa: A002
        """Change `name`, `role` or `active`."""
        self._mexe(path_of("api_tokens", id), method="PUT", query_props=query_props)

    def delete_api_token(self, id: int | str) -> None:  # noqa: A002
        """Delete an API token."""
        self._mexe(path_of("api_tokens", id), method="DELETE")

    def create_chart_token(self, **query_props: object) -> JsonObject:
        """Have a chart shown to who knows the token that comes back."""
        return to_object(self._mexe("charts", method="POST", query_props=query_props), "a token")

    def get_chart_token(self, token: str) -> JsonObject:
        """Return what a chart token shows."""
        return to_object(self._mexe(path_of("charts", token)), "a token")

    def delete_chart_token(self, token: str) -> None:
        """Show the chart no more."""
        self._mexe(path_of("charts", token), method="DELETE")
