"""Which span an exception belongs to, for whoever logs it after the request has left its context.

Frameworks and servers handle what escapes an application outside of it, where its span is no
longer the current one; the exception itself still tells.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["ids_of_error", "mark_error"]

_ATTRIBUTE: Final = "_wf_instrument_ids"


def mark_error(error: BaseException, span: WavefrontSpan) -> None:
    """Note the span in the exception that it failed with."""
    # By their ids: the span itself would keep the exception's frames alive, and these the span.
    with suppress(AttributeError, TypeError):  # a class of the application may refuse
        setattr(error, _ATTRIBUTE, (span.trace_id_int, span.span_id_int))


def ids_of_error(error: BaseException | None) -> tuple[int, int] | None:
    """Return the trace and span id noted in an exception; None when there are none."""
    return cast("tuple[int, int] | None", getattr(error, _ATTRIBUTE, None))
