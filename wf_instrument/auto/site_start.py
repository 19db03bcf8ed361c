"""What `sitecustomize` calls in each Python process under `wf-instrument run`."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Final

from wf_instrument.auto.after_import import after_import
from wf_instrument.auto.environment import FOUND, RUN
from wf_instrument.auto.found import from_text
from wf_instrument.auto.start import watch

if TYPE_CHECKING:
    from wf_instrument.auto.found import Integration
    from wf_instrument.settings import Settings

__all__ = ["start"]

#: Modules that start the process that serves, and kill it, by `subprocess`.
_RELOADERS: Final = ("werkzeug._reloader", "django.utils.autoreload")


def start() -> None:
    """Watch for what is imported; deliver at SIGTERM."""
    asked = _names(RUN)
    if "compat" in asked:
        from wf_instrument.compat import install

        install()
    watch(_integrations(), disabled=_names("WF_DISABLED"), asked=asked, settings=_settings)
    for name in _RELOADERS:
        after_import(name, functools.partial(_let_end, name))

    from wf_instrument.auto.termination import deliver_at_termination

    deliver_at_termination()


def _let_end(name: str) -> None:
    from wf_instrument.auto.reloaders import let_end

    let_end(sys.modules[name], lambda: _settings().shutdown_timeout_s)


def _names(variable: str) -> list[str]:
    return os.environ.get(variable, "").replace(",", " ").split()


def _integrations() -> list[Integration]:
    found = from_text(os.environ.get(FOUND, ""))
    if found is None:  # another interpreter than the command's
        from wf_instrument.auto.discovery import installed_integrations

        found = installed_integrations()
    return found


def _settings() -> Settings:
    from wf_instrument.settings import load_settings

    # The command said already what is wrong.
    return load_settings(on_problem=lambda problem: None)
