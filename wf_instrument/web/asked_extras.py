"""Whether requests do more than is recorded anyway; what does it is loaded only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.web.hooks import NO_HOOKS

if TYPE_CHECKING:
    from wf_instrument.settings import Settings
    from wf_instrument.web.extras import RequestExtras
    from wf_instrument.web.hooks import Hooks

__all__ = ["extras_for"]


def extras_for(settings: Settings, hooks: Hooks) -> RequestExtras | None:
    """Return what settings and hooks ask for, None when that is nothing.

    Raises:
        ConfigError: A setting is wrong.
    """
    if hooks == NO_HOOKS and not (
        settings.captured_request_headers
        or settings.captured_response_headers
        or settings.server_timing
        or settings.trace_response
        or settings.log_line != "off"
    ):
        return None
    from wf_instrument.web.extras import RequestExtras

    return RequestExtras(settings, hooks)
