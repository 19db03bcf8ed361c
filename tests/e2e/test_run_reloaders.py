"""`wf-instrument run` with the server's own reloader: each request of each process counts."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

import pytest

from run_server import RunServer, Served, send, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: A process delivers what it recorded when it ends, and never before.
_AT_ITS_END: Final = {"WF_TICK": "60"}
_REPORTER: Final = "file://{}/recorded.jsonl?interval=60"

#: What an application does when a process loads it.
_MARK: Final = "__import__('pathlib').Path(f'loaded-{__import__(\"os\").getpid()}').touch()\n"
#: Where a module calls a function that does not return.
_MAIN: Final = "\nif __name__"

_FLASK: Final = "flask --app flask_shop run --debug --port PORT"
_GUNICORN: Final = "gunicorn --bind 127.0.0.1:PORT"
_DJANGO: Final = "python django_shop.py runserver PORT"


class ReloadingServer(RunServer):
    """A server that reloads applications in a folder of their own, where processes leave marks."""

    def __init__(self, command: str, folder: Path) -> None:
        self._apps = folder / "apps"
        self._apps.mkdir()
        self._changed_s = time.time()
        for one in self.apps():
            before, main, after = one.read_text().partition(_MAIN)
            (self._apps / one.name).write_text(f"{before}\n{_MARK}{main}{after}")
        # Where it is installed, Flask's reloader has it watch all of Python, which loses changes on
        # a busy machine; the reloader that looks at the files' times does not.
        (self._apps / "watchdog.py").write_text("raise ImportError\n")
        super().__init__(
            command,
            folder,
            apps=self._apps,
            env={**_AT_ITS_END, "WF_REPORTER": _REPORTER.format(folder)},
        )

    def _loaded(self) -> set[str]:
        return {one.name for one in self._apps.glob("loaded-*")}

    def _reloads(self) -> int:
        # As each of the servers says it.
        return self.log().count("eloading")

    def change(self, workers: int) -> None:
        """Change the code, and wait until it is loaded by a new process for each worker."""
        loaded, reloads = self._loaded(), self._reloads()
        deadline = time.monotonic() + 30
        # Once more for a reloader that had not looked at the files before they changed.
        while self._reloads() < reloads + workers:
            assert time.monotonic() < deadline, self.log()
            self._changed_s += 10
            for one in self._apps.glob("*.py"):
                os.utime(one, (self._changed_s, self._changed_s))
            wait_until(lambda: self._reloads() >= reloads + workers, 5)
        assert wait_until(lambda: len(self._loaded() - loaded) == self._reloads() - reloads), (
            self.log()
        )
        assert wait_until(self.is_up), self.log()


def reloaded(folder: Path, command: str, workers: int) -> Served:
    with ReloadingServer(command, folder) as server:
        sent = send(server.port, 8)
        server.change(workers)
        sent += send(server.port, 8)
        server.end()
        return server.served(sent)


@pytest.mark.slow
@pytest.mark.side_by_side(run=reloaded)
@pytest.mark.parametrize(
    ("command", "workers"),
    [
        pytest.param(_FLASK, 1, id="flask"),
        pytest.param(_DJANGO, 1, id="django"),
        pytest.param("uvicorn --port PORT --reload fastapi_shop:app", 1, id="uvicorn"),
        pytest.param(f"{_GUNICORN} --workers 2 --reload flask_shop:app", 2, id="gunicorn"),
    ],
)
def test_nothing_is_missing_when_the_server_reloads_its_code(
    command: str, workers: int, outcome: Callable[[], Served]
) -> None:
    served = outcome()
    assert served.recorded == served.sent, served.log


def told_together(folder: Path, command: str, number: int) -> Served:
    with ReloadingServer(command, folder) as server:
        sent = send(server.port, 8)
        server.end(number, group=True)
        return server.served(sent)


@pytest.mark.slow
@pytest.mark.side_by_side(run=told_together)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [_FLASK, _DJANGO], ids=["flask", "django"])
def test_a_reloader_lets_its_process_deliver_when_all_are_told_to_end(
    command: str, number: int, outcome: Callable[[], Served]
) -> None:
    served = outcome()
    assert served.recorded == served.sent, served.log
