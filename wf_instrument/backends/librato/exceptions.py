"""What goes wrong with the Librato API, as one tree; building an error never fails.

Source:
    Librato API reference, "HTTP Status Codes"; python-librato, `librato.exceptions`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.errors import SendError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CODES",
    "BadAnswer",
    "BadRequest",
    "ClientError",
    "ConnectionFailed",
    "DeliveryReport",
    "Forbidden",
    "NotFound",
    "RateLimited",
    "RemovedCallError",
    "ServerError",
    "TimedOut",
    "Unauthorized",
    "Unprocessable",
    "error_text",
    "get",
]

#: How deep the messages of a payload may lie.
_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What became of the measurements of one submission.

    Attributes:
        delivered: How many the service took.
        waiting: How many are kept and go with the next submission.
        rejected: Those that the service called bad, as they were sent; they are not kept.
    """

    delivered: int = 0
    waiting: int = 0
    rejected: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        said = f"{self.delivered} measurements were delivered"
        if self.waiting:
            said += f", {self.waiting} were not and wait for the next submission"
        if self.rejected:
            said += f", {len(self.rejected)} were rejected and given up"
        return said


class ClientError(SendError):
    """The service refused a request, or no answer came.

    Args:
        code: HTTP status; None when no answer came.
        error_payload: The decoded body.
        headers: Of the answer, by name in lower case.
        retry_after_s: Seconds the service asked to wait.

    Attributes:
        code: As given; `status` too.
        error_payload: As given.
        headers: As given.
        delivery: What became of the measurements, for an error of a submission; else None.
        is_unsent: Whether the service has seen nothing of the request.
    """

    is_unsent = False

    def __init__(
        self,
        code: int | None = None,
        error_payload: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(str(error_payload), status=code, retry_after_s=retry_after_s)
        self.code = code
        self.error_payload = error_payload
        self.headers = dict(headers or {})
        self.delivery: DeliveryReport | None = None
        self._context = ""

    def add_context(self, text: str) -> None:
        """Say more in the message, in brackets."""
        self._context += f" ({text})"

    def error_message(self) -> str:
        """Return status and reason in one line."""
        prefix = "" if self.code is None else f"[{self.code}] "
        return f"{prefix}{error_text(self.error_payload)}"

    def __str__(self) -> str:
        said = self.error_message() + self._context
        return said if self.delivery is None else f"{said}; {self.delivery}"

    def __reduce__(self) -> tuple[object, ...]:
        # The constructors of subclasses differ; the fields say it all.
        return _rebuilt, (type(self), self.__dict__.copy())


class _OfOneStatus(ClientError):  # noqa: N818
    """An error whose status its class tells."""

    status_code: int

    def __init__(
        self,
        msg: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(self.status_code, msg, headers=headers, retry_after_s=retry_after_s)


class BadRequest(_OfOneStatus):
    """400: something of the request is wrong."""

    status_code = 400


class Unauthorized(_OfOneStatus):
    """401: user or token are missing or wrong."""

    status_code = 401


class Forbidden(_OfOneStatus):
    """403: plain HTTP was used, or the account's rate limit is reached."""

    status_code = 403


class NotFound(_OfOneStatus):
    """404: there is no such thing, or the user may not see it."""

    status_code = 404


class Unprocessable(_OfOneStatus):
    """422: there is such a thing already."""

    status_code = 422


class RateLimited(_OfOneStatus):
    """429: too many requests, still after the retries."""

    status_code = 429


class ServerError(ClientError):
    """A status of 500 and up, still after the retries."""


class BadAnswer(ClientError, ValueError):  # noqa: N818
    """An answer that is no JSON although it says so, or not of the form it should have."""


class ConnectionFailed(ClientError, OSError):  # noqa: N818
    """No answer came: nobody there, a broken connection, or none in time.

    Attributes:
        is_passing: Whether another try may help; not with a certificate that is no good.
    """

    is_passing = True

    def __str__(self) -> str:
        return ClientError.__str__(self)


class TimedOut(ConnectionFailed, TimeoutError):  # noqa: N818
    """No answer came within the time-out."""


class RemovedCallError(AttributeError, NotImplementedError):
    """A call of dashboards or instruments, which the service has no more."""


CODES: Final[dict[int, type[_OfOneStatus]]] = {
    one.status_code: one
    for one in (BadRequest, Unauthorized, Forbidden, NotFound, Unprocessable, RateLimited)
}


def get(
    code: int,
    resp_data: object,
    *,
    headers: Mapping[str, str] | None = None,
    retry_after_s: float | None = None,
) -> ClientError:
    """Return the error for a status and a decoded body; it is not raised."""
    known = CODES.get(code)
    if known is not None:
        return known(resp_data, headers=headers, retry_after_s=retry_after_s)
    kind = ServerError if code >= 500 else ClientError
    return kind(code, resp_data, headers=headers, retry_after_s=retry_after_s)


def error_text(payload: object) -> str:
    """Return in one line what an error's body says, whatever its form."""
    if isinstance(payload, dict):
        for key in ("error", "message"):
            if key in payload:
                return str(payload[key])
        errors = payload.get("errors")
        if isinstance(errors, dict):
            return ", ".join(_messages(errors, ())) or str(errors)
        return str(payload) if errors is None else str(errors)
    # A list is no form the service has.
    return str(None) if payload is None or isinstance(payload, list) else str(payload)


def _messages(value: object, path: tuple[str, ...]) -> list[str]:
    if isinstance(value, dict) and len(path) < _DEEPEST:
        return [text for key, one in value.items() for text in _messages(one, (*path, str(key)))]
    if isinstance(value, list) and len(path) > 1:
        # One key and its messages; at the top each message has the key.
        return [": ".join((*path, ", ".join(map(str, value))))]
    if isinstance(value, list):
        return [text for one in value for text in _messages(one, path)]
    return [": ".join((*path, str(value)))]


def _rebuilt(kind: type[ClientError], state: dict[str, Any]) -> ClientError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    return error
