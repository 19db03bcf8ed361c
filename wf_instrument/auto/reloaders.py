"""Servers that start themselves anew when code changes: their process ends, and is not killed.

The reloaders of Werkzeug (`flask run --debug`) and Django wait for the process that serves. When
they are told to end they kill it at once, with all it has not delivered yet.

Threads: the reloader waits in the main thread, whose signal handlers raise.
Locks: none, so nothing to reset in a forked child.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["let_end"]

#: Beyond the time that the settings give to the delivery: the interpreter ends, too.
_GRACE_S: Final = 1.0


def let_end(module: ModuleType, timeout_s: Callable[[], float]) -> None:
    """Have a reloader give its process time to deliver before it kills it.

    Args:
        module: The reloader's, which starts the process by `subprocess.call` or `subprocess.run`.
        timeout_s: Asked when the process is to end: how long it may take to deliver.
    """
    # Of this module alone: whatever else the program starts is killed as ever.
    vars(module)["subprocess"] = _Patient(timeout_s)


class _Patient:
    """Stands for the module `subprocess`."""

    def __init__(self, timeout_s: Callable[[], float]) -> None:
        self._timeout_s = timeout_s

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def call(self, args: Any, **options: Any) -> int:
        with subprocess.Popen(args, **options) as process:  # noqa: S603 - the reloader's own
            try:
                return process.wait()
            except BaseException:
                self._end(process)
                raise

    def run(self, args: Any, **options: Any) -> subprocess.CompletedProcess[Any]:
        return subprocess.CompletedProcess(args, self.call(args, **options))

    def _end(self, process: subprocess.Popen[Any]) -> None:
        """Tell a process to end, and kill it when it does not in time, or at a second signal."""
        try:
            process.terminate()
            process.wait(self._timeout_s() + _GRACE_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Does nothing to one that has ended.
            process.kill()
