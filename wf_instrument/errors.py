"""Every exception of the library, as one tree.

Where a caller of a comparable library would already catch a built-in exception, ours inherits
it too, so that old `except` clauses keep working.
"""

from __future__ import annotations

import queue

__all__ = [
    "ConfigError",
    "MissingExtraError",
    "MissingTagError",
    "PropagationError",
    "QueueFullError",
    "SendError",
    "SpoolError",
    "StoreError",
    "UnknownReporterError",
    "WFInstrumentError",
]


class WFInstrumentError(Exception):
    """The root: catches whatever this library raises."""


class ConfigError(WFInstrumentError, ValueError):
    """A setting is wrong; raised at start-up. The message says what, where and what to do."""


class UnknownReporterError(ConfigError):
    """No installed reporter answers to the scheme of a reporter URL."""


class MissingExtraError(ConfigError, ImportError):
    """A package that an optional part needs is not installed; the message names the extra.

    Attributes:
        name: The missing package, as `ImportError` has it.
    """

    def __init__(self, message: str, *, name: str | None = None) -> None:
        # ValueError, which ConfigError is too, takes no keyword.
        super().__init__(message)
        self.name = name


class MissingTagError(ConfigError, AttributeError):
    """Application tags lack the application or the service."""


class QueueFullError(WFInstrumentError, queue.Full):
    """A bounded queue refused the newest datum, which is counted as dropped."""


class PropagationError(WFInstrumentError, ValueError):
    """A header does not hold a span context."""


class StoreError(WFInstrumentError, OSError):
    """A local store cannot be opened, read or written."""


class SendError(WFInstrumentError):
    """The receiver did not take a batch.

    Attributes:
        status: HTTP status, or None when no answer came.
        retry_after_s: Seconds the receiver asked us to wait, or None.
        answer: The beginning of what the receiver said, if it said why.
        cause: Class name of the failure behind it, when no answer came.
        is_final: Whether the same data must not be sent again, all of them.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        answer: str = "",
        cause: str = "",
        is_final: bool = False,
    ) -> None:
        super().__init__(message)  # keyword fields with defaults keep the error picklable
        self.status = status
        self.retry_after_s = retry_after_s
        self.answer = answer
        self.cause = cause
        self.is_final = is_final


class SpoolError(WFInstrumentError):
    """A file of a spool cannot be read as a batch."""
