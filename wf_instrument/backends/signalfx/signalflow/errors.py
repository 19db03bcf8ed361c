"""What a computation, or the way to one, fails with."""

from __future__ import annotations

from collections.abc import Mapping

from wf_instrument.errors import WFInstrumentError

__all__ = [
    "ComputationAborted",
    "ComputationFailed",
    "FrameError",
    "SignalFlowConnectionError",
    "SignalFlowException",
]


class SignalFlowException(WFInstrumentError):  # noqa: N818 - the older client's name
    """The service refused a request, or cannot be reached.

    Attributes:
        code: HTTP status, number of the error, or WebSocket close code; 0 when there is none.
        message: What it said, or None.
        error_type: Its name for it, or None.
    """

    def __init__(
        self, code: int, message: str | None = None, error_type: str | None = None
    ) -> None:
        super().__init__(code, message, error_type)
        self.code = code
        self.message = message
        self.error_type = error_type

    def __str__(self) -> str:
        kind = f" ({self.error_type})" if self.error_type else ""
        return f"{self.code}{kind}: {self.message}" if self.message else f"Error {self.code}{kind}"


class SignalFlowConnectionError(SignalFlowException, ConnectionError):
    """The service cannot be reached, or does not answer in time."""


class ComputationAborted(WFInstrumentError):  # noqa: N818 - the older client's name
    """The service ended a computation.

    Attributes:
        state: The service's word for it, or None.
        reason: Why, or None.
    """

    def __init__(self, abort_info: Mapping[str, object] | None) -> None:
        super().__init__(abort_info)
        info = abort_info if isinstance(abort_info, Mapping) else {}
        self.state = info.get("sf_job_abortState")
        self.reason = info.get("sf_job_abortReason")

    def __str__(self) -> str:
        state = str(self.state).lower() if self.state is not None else "aborted"
        return f"Computation {state}: {self.reason}"


class ComputationFailed(WFInstrumentError):  # noqa: N818 - the older client's name
    """The service answered a computation with errors.

    Attributes:
        errors: What it said, as it stands.
    """

    def __init__(self, errors: object) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        return f"Computation failed ({self.errors})"


class FrameError(WFInstrumentError, ValueError):
    """A message of the service cannot be read."""
