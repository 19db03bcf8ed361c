"""The blocks of python-librato's README, and the edits without which they cannot run.

Each edit has its reason; what is not listed here runs as it stands.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final, NamedTuple

#: No `.md`, whose code a formatter would mend.
PAGE: Final = Path(__file__).parent / "data" / "librato_readme_blocks.txt"
_BLOCK = re.compile(r"^## (?P<heading>[^\n]*)$|^```python\n(?P<code>.*?)^```$", re.S | re.M)


class Edit(NamedTuple):
    """What is replaced in a block, with what, and why."""

    old: str
    new: str
    reason: str


STATEMENT: Final = "`print` is a function in Python 3"
UNDEFINED: Final = "the README leaves the name to its reader"

EDITS: Final = (
    Edit(
        "librato.connect('email', 'token'",
        "librato.connect(USER, TOKEN, HOSTNAME, protocol='http'",
        "the service is on this machine, and checks user and token",
    ),
    Edit("print m.name", "print(m.name)", STATEMENT),
    Edit('print "%s: %s" % (m.name, m.description)', "print(m.name, m.description)", STATEMENT),
    Edit(
        "print \"%s: %s\" % (m['value'], m['measure_time'])",
        "print(m['value'], m['measure_time'])",
        STATEMENT,
    ),
    Edit("\nprint stream\n", "\nprint(stream)\n", STATEMENT),
    Edit("\tprint source\n", "\tprint(source)\n", STATEMENT),
    Edit("print event['id']", "print(event['id'])", STATEMENT),
    Edit("print event['title']", "print(event['title'])", STATEMENT),
    Edit("print event['description']", "print(event['description'])", STATEMENT),
    Edit(
        'streams():\nprint("%s: %s" % (stream.name, stream.display_name))',
        'streams():\n    print("%s: %s" % (stream.name, stream.display_name))',
        "the body of the loop is not indented",
    ),
    Edit("potentially_dangerous_operation()", "risk()", UNDEFINED),
    Edit('"build %s"%travisBuildID', '"build %s"%7', UNDEFINED),
    Edit("%(appName,travisBuildID)", "%('shop', 7)", UNDEFINED),
    Edit(
        "space = Space(api, 'Production')",
        "from librato import Space\nspace = Space(api, 'Production')",
        UNDEFINED,
    ),
    Edit(
        "# or\nspace.delete()",
        "# or\nspace = api.create_space('Test')\nspace.delete()",
        "both ways of deleting one space: the second finds none",
    ),
    Edit(
        "alert.add_condition_for('metric_name', 'mysource')\n",
        "alert.add_condition_for('metric_name', 'mysource').above(1)\n",
        "a condition without a type says nothing; the service refuses it",
    ),
)  # fmt: skip

#: The README's first blocks, without which the others do not stand alone.
PRELUDE: Final = "import librato\napi = librato.connect('email', 'token')\n"


def blocks() -> list[tuple[str, str]]:
    """Return heading and code of every block, as it stands."""
    found = []
    heading = ""
    for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if match["heading"] is not None:
            heading = match["heading"]
        else:
            found.append((heading, match["code"]))
    return found


def edited(code: str) -> str:
    """Return a block as it can run: its indentation as a whole is taken away, too."""
    # Some blocks are indented as a whole, which a reader of the page does not see.
    code = textwrap.dedent(code)
    for edit in EDITS:
        code = code.replace(edit.old, edit.new)
    return code


def renamed(code: str) -> str:
    """Return a block with this library's names of the modules."""
    code = code.replace(
        "from librato.aggregator import", "from wf_instrument.backends.librato import"
    )
    code = code.replace("from librato import", "from wf_instrument.backends.librato import")
    code = code.replace("import librato\n", "import wf_instrument.backends.librato as librato\n")
    return code.replace("librato.queue.Queue", "librato.Queue")
