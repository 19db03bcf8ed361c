"""What the functions of the compiled request path cost, in instructions counted by callgrind."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import instructions
import results_page
from overhead_variants import SPAN

__all__ = ["table_of_functions"]

REQUESTS = 100
#: What a reader would look for, in the order of a request; the application is in none of them.
DOES = {
    "asgi_begin": "ASGI: read the scope, make the record, read three clocks, start the span",
    "begin_span": "of it the span: draw its ids, make it",
    "set_variable": "make the span current, and what was before it again (what that frees, too)",
    "call_noted": "have the route note itself",
    "wsgi_start_response": "WSGI: note status and headers; route, handle, first byte",
    "route_of": "ask which route serves",
    "look_up": "find the handle of route, method, scheme and protocol",
    "asgi_finish": "ASGI: end the request",
    "wsgi_finish": "WSGI: end the request",
    "end_record": "of it: append the sample, end the span, keep a few facts in it",
    "keep_facts": "of that: the facts",
    "add_sample": "of that: the sample",
    "clear_objects": "let go of what the record held",
}
_LINE = re.compile(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+\S+:(\w+) \[\S*_compiled\.")


def table_of_functions(frameworks: list[str]) -> str:
    """Return a table of instructions a request, what a function calls included; "" without one."""
    if results_page.which_path() != "compiled" or shutil.which("callgrind_annotate") is None:
        return ""
    counts = {}
    for framework in frameworks:
        results_page.progress(f"step budget: instructions of {framework}")
        few, many = (_functions(framework, times * REQUESTS) for times in (1, 2))
        counts[framework] = {
            name: (many[name] - few.get(name, 0)) / REQUESTS for name in DOES if name in many
        }
    rows = [
        [f"{does} (`{name}`)", *(f"{counts[one].get(name, 0):,.0f}" for one in frameworks)]
        for name, does in DOES.items()
        if any(name in of_one for of_one in counts.values())
    ]
    return results_page.table(["step (function)", *frameworks], rows)


def _functions(framework: str, requests: int) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind"
        instructions.run(framework, SPAN, requests, out)
        told = subprocess.run(
            ["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out)],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    found: dict[str, int] = {}
    for line in told.splitlines():
        match = None if "=>" in line else _LINE.match(line)
        if match is not None:
            found[match[2]] = found.get(match[2], 0) + int(match[1].replace(",", ""))
    return found
