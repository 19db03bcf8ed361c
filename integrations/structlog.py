"""structlog: `add_trace_ids`, a processor, which `install()` puts before the others."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard

try:
    import structlog
except ImportError as exc:
    raise MissingExtraError(
        "trace ids in structlog's events need the package 'structlog', which is not installed; "
        "run: pip install structlog",
        name="structlog",
    ) from exc

from .logging import current_ids

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["add_trace_ids", "install", "uninstall"]

_MARK: Final = "_wf_instrument_original"


def add_trace_ids(
    logger: object, method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add `trace_id`, `span_id` and `route` to an event, empty outside of a request or span.

    For `structlog.configure(processors=[add_trace_ids, ...])`. Keys that the event has are kept.
    """
    with guard("structlog.ids"):
        for key, value in current_ids().items():
            event_dict.setdefault(key, value)
    return event_dict


def install() -> None:
    """Put the processor first, now and whenever structlog is configured; harmless when repeated."""
    if hasattr(structlog.configure, _MARK):
        return
    configure: Any = structlog.configure

    @functools.wraps(configure)
    def configured(processors: Any = None, *args: Any, **kwargs: Any) -> None:
        configure(None if processors is None else _with_ours(processors), *args, **kwargs)

    setattr(configured, _MARK, configure)
    setattr(structlog, "configure", configured)  # noqa: B010 - mypy refuses to assign a function
    configure(processors=_with_ours(structlog.get_config()["processors"]))


def uninstall() -> None:
    """Take the processor out again; harmless when repeated."""
    configure = getattr(structlog.configure, _MARK, None)
    if configure is None:
        return
    setattr(structlog, "configure", configure)  # noqa: B010 - as above
    left = [one for one in structlog.get_config()["processors"] if one is not add_trace_ids]
    configure(processors=left)


def _with_ours(processors: Any) -> list[Any]:
    given = list(processors)
    return given if add_trace_ids in given else [add_trace_ids, *given]
