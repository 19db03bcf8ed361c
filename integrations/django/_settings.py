"""What the setting `WF_INSTRUMENT` asks for: one telemetry, however many handlers load it.

Threads: any. Locks: `_lock` guards `_known`; nothing is on the network under it.
Fork: the child gets a new lock; the telemetry's own parts reset themselves.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings

from wf_instrument.forking import reset_after_fork
from wf_instrument.telemetry import Telemetry, telemetry_for

from ._routes import endpoint_of, route_names

if TYPE_CHECKING:
    from wf_instrument.web.recorder import Recorder

__all__ = ["SettingsRecording", "django_options"]


def django_options() -> dict[str, Any]:
    """Return `WF_INSTRUMENT` of Django's settings; empty when there is none."""
    return dict(getattr(django_settings, "WF_INSTRUMENT", None) or {})


class SettingsRecording:
    """Makes what `WF_INSTRUMENT` asks for, once; again when it changes or was shut down.

    Django's test client makes its middlewares anew for each client.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[dict[str, Any], Telemetry, Recorder] | None = None
        reset_after_fork(self._in_child)

    def _in_child(self) -> None:
        self._lock = threading.Lock()

    def get(self) -> tuple[Telemetry, Recorder]:
        """Return telemetry and recorder.

        Raises:
            ConfigError: A setting is wrong.
        """
        options = django_options()
        with self._lock:
            known = self._known
            if known is not None and known[0] == options and not known[1].pipeline.is_closed:
                return known[1:]
            arguments = dict(options)
            telemetry = telemetry_for(arguments, arguments.pop("application_tags", None))
            recorder = telemetry.recorder("django", route_names, endpoint_of)
            self._known = (options, telemetry, recorder)
            return telemetry, recorder
