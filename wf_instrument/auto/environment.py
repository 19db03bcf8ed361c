"""What `wf-instrument run` tells the processes it starts, in their environment.

They read these few variables and nothing else until a framework is imported: a server starts many
processes, and most of what a program runs is no server.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wf_instrument.auto.found import Integration
    from wf_instrument.settings import Settings

__all__ = ["FOUND", "RUN", "SITE", "environment_for"]

#: The folder that goes first on PYTHONPATH.
SITE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")  # noqa: PTH100, PTH118, PTH120 - pathlib takes 10 ms in each process

#: What is to be done: names that are asked for, `compat` among them.
RUN: Final = "WF_RUN_ASKED"
#: Integrations that were found.
FOUND: Final = "WF_RUN_FOUND"


def environment_for(
    settings: Settings,
    integrations: list[Integration],
    asked: Mapping[str, str],
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment of the command.

    Args:
        settings: Resolved settings.
        integrations: All that are installed.
        asked: Names of integrations that a setting asks for, and of the setting.
        environ: The environment to add to.
    """
    from wf_instrument.auto.found import to_text

    made = dict(environ)
    others = [part for part in made.get("PYTHONPATH", "").split(os.pathsep) if part]
    made["PYTHONPATH"] = os.pathsep.join([SITE, *(part for part in others if part != SITE)])
    made["WF_DISABLED"] = ",".join(settings.disabled)
    words = [name for name, setting in asked.items() if getattr(settings, setting)]
    made[RUN] = ",".join([*words, *(["compat"] if settings.compat else [])])
    made[FOUND] = to_text(integrations)
    return made
