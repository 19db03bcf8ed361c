"""The answer of the ingest service to an event."""

from __future__ import annotations

import json

from wf_instrument.backends.signalfx.request_errors import status_error

__all__ = ["IngestResponse"]


class IngestResponse:
    """What the service answered, with the names that responses of `requests` have.

    Attributes:
        status_code: HTTP status.
        content: The body.
    """

    def __init__(self, status_code: int, content: bytes) -> None:
        self.status_code = status_code
        self.content = content

    def __repr__(self) -> str:
        return f"<IngestResponse [{self.status_code}]>"

    def __bool__(self) -> bool:
        return self.ok

    @property
    def ok(self) -> bool:
        """Whether the service took it."""
        return self.status_code < 400

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> object:
        """Return the body read as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        """Raise the exception that `requests` would, if the service did not take it."""
        if not self.ok:
            raise status_error(self)
