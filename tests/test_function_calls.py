"""What we add to a request in function calls: a guard of speed that noise cannot blur."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wf_instrument.speed import IS_COMPILED

#: Calls that a request may make besides the application's own, spans and metrics on; made are 2 of
#: each compiled, 57 and 44 in Python.
AT_MOST = {"flask": 4, "starlette": 4} if IS_COMPILED else {"flask": 60, "starlette": 45}


@pytest.mark.slow
@pytest.mark.parametrize("framework", sorted(AT_MOST))
def test_a_request_makes_few_calls_of_ours(framework: str) -> None:
    counted = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("count_calls.py")), framework],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )

    assert 0 < float(counted.stdout) <= AT_MOST[framework]
