"""What goes wrong with Apptuit, as its client for Python has it.

Source:
    Apptuit's client for Python, README, "Configuration" and "Error Handling in ApptuitReporter".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.errors import ConfigError, MissingExtraError, WFInstrumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ApptuitConfigError",
    "ApptuitDataError",
    "ApptuitException",
    "ApptuitExtraError",
    "ApptuitSendException",
    "ApptuitTagsError",
]


class ApptuitException(WFInstrumentError):  # noqa: N818 - the name that programs catch
    """The root of what this backend raises.

    Attributes:
        msg: What went wrong.
    """

    def __init__(self, msg: str = "") -> None:
        super().__init__(msg)
        self.msg = msg

    def __repr__(self) -> str:
        return str(self)


class ApptuitConfigError(ApptuitException, ConfigError):
    """A token, address, mode or variable is missing or wrong; also a `ValueError`."""


class ApptuitDataError(ApptuitException, ValueError):
    """A point that cannot be sent: its name, tags or time; also a `ValueError`."""


class ApptuitTagsError(ApptuitDataError, AttributeError, TypeError):
    """Tags that are no dictionary, or have a key that is no text.

    Also an `AttributeError` and a `TypeError`, which the older client raised.
    """


class ApptuitExtraError(ApptuitException, MissingExtraError):
    """pandas is not installed; also an `ImportError`."""

    def __init__(self, msg: str, *, name: str | None = None) -> None:
        super().__init__(msg)
        self.name = name


class ApptuitSendException(ApptuitException):
    """Points were not taken, all or some.

    Made with a text first, or as `ApptuitSendException(status_code, success, failed, errors)`,
    which is what an error handler is given.

    Attributes:
        status_code: HTTP status; None when no answer came, or several did.
        success: How many points were taken.
        failed: How many were not.
        errors: Dictionaries with `datapoint` and `error`.
    """

    def __init__(
        self,
        msg: object = "",
        status_code: int | None = None,
        success: int | None = None,
        failed: int | None = None,
        errors: Iterable[object] | None = None,
    ) -> None:
        if not isinstance(msg, str):
            # The README's order.
            msg, status_code, success, failed, errors = "", msg, status_code, success, failed  # type: ignore[assignment]
        super().__init__(msg)
        self.status_code = status_code
        self.success = success
        self.failed = failed
        self.errors: list[object] = list(errors or ())
        # What `pickle` makes it from.
        self.args = (msg, status_code, success, failed, self.errors)

    def __str__(self) -> str:
        status = f" with status: {self.status_code}" if self.status_code else ""
        lines = [f"{self.failed} points failed{status}\n"]
        for one in self.errors:
            if isinstance(one, dict) and ("error" in one or "datapoint" in one):
                error, datapoint = one.get("error"), one.get("datapoint")
                lines.append(f"{error} error occurred in the datapoint {datapoint}\n")
            else:
                lines.append(f"{one}\n")
        return "".join(lines)
