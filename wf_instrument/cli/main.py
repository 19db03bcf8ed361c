"""Where the command starts: `run` in its usual spelling without click, all else with it.

Whoever starts a server through `wf-instrument run` waits for it; loading click, and making options
of some forty settings, takes as long as all that is to be done.
"""

from __future__ import annotations

import sys
from typing import Final

from wf_instrument.auto.notice import say
from wf_instrument.errors import ConfigError, StoreError, WFInstrumentError

__all__ = ["main"]

_FAILED: Final = 1
#: Exit status for a wrong setting or argument, as click has it for wrong usage.
_WRONG_USE: Final = 2
_INTERRUPTED: Final = 130


def main() -> None:
    """Run the command; what goes wrong ends it with one sentence, a wrong setting with status 2."""
    try:
        _run(sys.argv[1:])
    except WFInstrumentError as error:
        say(error)
        sys.exit(_WRONG_USE if isinstance(error, ConfigError | StoreError) else _FAILED)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _run(arguments: list[str]) -> None:
    if arguments[:1] == ["run"]:
        from wf_instrument.cli.plain_run import plain_arguments

        usual = plain_arguments(arguments[1:])
        if usual is not None:
            from wf_instrument.cli.takeover import become

            become(*usual)
    from wf_instrument.cli.commands import run_commands

    run_commands()
