"""What had to be changed in the code blocks of the SignalFx README for them to run, and why.

Not counted as changes: the addresses of the service, which the tests put into the constructor's
defaults, so that the blocks' own text stays as it is.
"""

from __future__ import annotations

from typing import Final

#: Number of the Python block, in the order of the page, to edits: old text, new text, reason.
EDITS: Final[dict[int, list[tuple[str, str, str]]]] = {
    1: [
        (
            "          ...\n",
            "",
            "a literal `...` stands for further points; an Ellipsis is no data point",
        )
    ],
    2: [
        (
            "sfx.send(...)",
            "sfx.send(gauges=[{'metric': 'myfunc.time', 'value': 532}])",
            "a literal `...` stands for the arguments",
        )
    ],
    3: [
        (
            "          ...\n        ], ...)",
            "        ])",
            "a literal `...` stands for further points; behind a keyword argument it cannot stand",
        )
    ],
    6: [
        (
            "'timestamp': 1442960607000\n",
            "'timestamp': 1442960607000,\n",
            "a comma is missing: a syntax error in every version of Python",
        )
    ],
}
