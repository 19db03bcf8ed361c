"""Work that the service does by and by.

Source:
    Librato API reference, "Jobs".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wf_instrument.backends.librato.json_text import JsonObject

__all__ = ["Job"]

_OVER: Final = frozenset({"complete", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Job:
    """How far a job is.

    Attributes:
        id: Its id.
        state: `queued`, `working`, `complete`, `failed` or `canceled`; None when only the id is
            known yet.
        progress: Per cent, or None.
        output: What it gave.
        errors: What went wrong.
    """

    id: int | str
    state: str | None = None
    progress: float | None = None
    output: Any = None
    errors: Any = field(default=None)

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.state in _OVER

    @classmethod
    def from_dict(cls, data: JsonObject) -> Job:
        """Return the job of an answer."""
        names = ("id", "state", "progress", "output", "errors")
        return cls(**{name: data.get(name) for name in names})  # type: ignore[arg-type]  # as it comes
