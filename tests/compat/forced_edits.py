"""What is changed in the code blocks of legacy READMEs so that they run, each with its reason.

Beside these, tokens and addresses: `{ENDPOINT}` and `{PORT}` stand for those of the test's server.
"""

from __future__ import annotations

from typing import NamedTuple


class Edit(NamedTuple):
    """One change of a block's text."""

    heading: str
    old: str
    new: str
    reason: str


ADDRESS = "address: the server of the test"
ELLIPSIS = "literal ...: it stands for arguments left out"
ENDLESS = "endless loop: it ends once it has sent"
SYNTAX = "syntax: no Python accepts it"

_ENDPOINT = 'api_endpoint="{ENDPOINT}"'

FORCED_EDITS: dict[str, list[Edit]] = {
    "apptuit": [
        Edit(
            "Working with Apptuit Client",
            "client = Apptuit(token=my_apptuit_token,",
            f"client = Apptuit(token=my_apptuit_token, {_ENDPOINT},",
            ADDRESS,
        ),
        Edit(
            "Working with Apptuit Pyformance Reporter",
            'token="my_apptuit_token",',
            f'token="my_apptuit_token", {_ENDPOINT},',
            ADDRESS,
        ),
        Edit(
            "Sending data using Apptuit pyformance reporter",
            "token=token,",
            f"token=token, {_ENDPOINT},",
            ADDRESS,
        ),
        Edit(
            "Error Handling in ApptuitReporter",
            "  def error_handler(status_code, successful_points_count, failed_points_count, errors)"
            ":\n    pass\n",
            "def error_handler(status_code, successful_points_count, failed_points_count, errors)"
            ":\n  pass\n",
            SYNTAX + " (the block is indented)",
        ),
        *(
            Edit(
                heading, "token=my_apptuit_token,", f"token=my_apptuit_token, {_ENDPOINT},", ADDRESS
            )
            for heading in (
                "Reporter with default error handler",
                "Reporter with No error handler",
                "Passing extra argument using Partial",
            )
        ),
        Edit(
            "Passing extra argument using closure",
            "ApptuitReporter(...,",
            f"ApptuitReporter(registry=registry, token=token, {_ENDPOINT},",
            ELLIPSIS,
        ),
        Edit(
            "Tags/Metadata",
            "token=token,",
            f"token=token, {_ENDPOINT},",
            ADDRESS,
        ),
        Edit(
            "Sending data using send() API",
            "while True:",
            "for _ in range(20):",
            ENDLESS,
        ),
        Edit(
            "Sending data using send() API",
            "time.sleep(60)",
            "time.sleep(0)",
            ENDLESS + ", without its minutes of waiting",
        ),
        *(
            Edit(
                f"Sending data using {name}() API",
                "Apptuit(token=token)",
                f"Apptuit(token=token, {_ENDPOINT})",
                ADDRESS,
            )
            for name in ("send", "send_timeseries")
        ),
        Edit(
            "Querying for data",
            "start=start_time\n",
            "start=start_time,\n",
            SYNTAX + " (a comma is missing)",
        ),
        Edit(
            "Querying for data",
            "Apptuit(token=token)",
            f"Apptuit(token=token, {_ENDPOINT})",
            ADDRESS,
        ),
    ],
    "wavefront_flask_sdk": [
        Edit("Usage", 'server="{SERV_ADDR}"', 'server="{ENDPOINT}"', ADDRESS),
        Edit("Usage", "host='0.0.0.0', port=8080", "host='127.0.0.1', port={PORT}", ADDRESS),
    ],
}


def edited(package: str, blocks: dict[str, str], endpoint: str, port: int = 0) -> dict[str, str]:
    """Return the blocks of a package's README with all edits, each of which must be of use."""
    made = dict(blocks)
    for edit in FORCED_EDITS[package]:
        assert edit.old in made[edit.heading], edit
        new = edit.new.replace("{ENDPOINT}", endpoint).replace("{PORT}", str(port))
        made[edit.heading] = made[edit.heading].replace(edit.old, new)
    return made
