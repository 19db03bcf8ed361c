"""The documentation is true: its snippets run, its tables are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loopback import LoopbackReceiver
from wf_instrument.settings import setting_rows

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def snippets() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for number, match in enumerate(re.finditer(r"^```python\n(.*?)^```", text, re.S | re.M), 1):
            found.append((f"{page.name}-{number}", match[1]))
    return found


SNIPPETS = snippets()


def test_readme_and_docs_have_snippets() -> None:
    assert len([name for name, _ in SNIPPETS if name.startswith("README")]) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("code", [code for _, code in SNIPPETS], ids=[name for name, _ in SNIPPETS])
def test_every_snippet_runs_as_it_stands(code: str, folder: Path) -> None:
    if "from litestar import" in code:
        pytest.importorskip("litestar", reason="Litestar is an extra of its own")
    with LoopbackReceiver() as proxy:
        # The proxy of the documentation is this one.
        code = code.replace("127.0.0.1:2878", f"127.0.0.1:{proxy.port}")
        code = code.replace("port=2878", f"port={proxy.port}")
        # Not as `__main__`: what serves until it is interrupted stands under that condition.
        (folder / "snippet.py").write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", "import snippet"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert proxy.lines() or "client.send_" not in code


def test_the_two_commands_of_the_readme_are_these() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    install = "python3 -m venv .venv && .venv/bin/pip install -e "
    assert f"\n{install}'.[demo]' && .venv/bin/wf-instrument demo\n" in text
    assert f"\n{install}'.[test]' && .venv/bin/pytest\n" in text


def test_the_table_of_settings_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import settings_table as t; assert t.page() == t.PAGE.read_text()"],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, "run: python docs/settings_table.py"


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for row in setting_rows():
        assert row.help.endswith(".")
        assert f"| `{row.name}` | `{row.variable}` |" in text
