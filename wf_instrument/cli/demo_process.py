"""The demo's server process, as the command sees it: started, told to end, waited for.

Between the two: the command writes one line of JSON to the server's standard input, the framework
and the URLs of reporters (which may hold tokens, and would be seen by everyone as arguments); the
server answers
with one line, `{"port": ...}` or `{"error": ...}`. When its standard input ends, so does it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from wf_instrument.errors import ConfigError, WFInstrumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ServerProcess", "served"]

_END_TIMEOUT_S: Final = 20.0


class ServerProcess:
    """A running server.

    Attributes:
        port: Where it listens on 127.0.0.1.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def drain(self) -> None:
        """Let the server finish what it serves, deliver what it recorded, and end.

        Raises:
            WFInstrumentError: It did not, or not in time.
        """
        _close(self._process.stdin)
        try:
            status = self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired as exc:
            raise WFInstrumentError(
                f"the demo's server did not end within {_END_TIMEOUT_S:g} s; its figures may be "
                "incomplete"
            ) from exc
        if status != 0:
            raise WFInstrumentError(
                f"the demo's server ended with status {status}; what it wrote before says why"
            )


@contextmanager
def served(framework: str, reporters: list[str]) -> Iterator[ServerProcess]:
    """Run the server until the end of the block at the latest.

    Raises:
        ConfigError: The server refuses a reporter.
        WFInstrumentError: It does not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "wf_instrument.cli.demo_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Else a `random.py` in the current folder would be taken for the library's.
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    try:
        yield ServerProcess(process, _started(process, framework, reporters))
    finally:
        _end(process)


def _started(process: subprocess.Popen[bytes], framework: str, reporters: list[str]) -> int:
    """Tell the server what to serve and its reporters, return its port."""
    line = b""
    if process.stdin is not None and process.stdout is not None:
        with suppress(BrokenPipeError):  # it ended already
            order = {"framework": framework, "reporters": reporters}
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
    try:
        answer = json.loads(line)
    except ValueError as exc:
        raise WFInstrumentError(
            "the demo's server did not start; what it wrote before says why"
        ) from exc
    if "error" in answer:
        raise ConfigError(answer["error"])
    return int(answer["port"])


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _close(process.stdin)
    _close(process.stdout)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with suppress(BrokenPipeError):  # what was left in it has no reader any more
            pipe.close()
