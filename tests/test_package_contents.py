"""What is installed: everything in the folders of the package, and nothing that git leaves out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("wf_instrument", "integrations")
#: `integrations` is installed under another name.
PLACES = {"integrations": "wf_instrument/integrations"}


def known_to_git() -> list[str]:
    """Return the files that git has or would add; those of a pattern in `.gitignore` are not."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout of git")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def test_no_module_is_left_out_by_an_ignored_name() -> None:
    modules = {
        one.relative_to(ROOT).as_posix() for name in FOLDERS for one in (ROOT / name).rglob("*.py")
    }
    assert "wf_instrument/auto/site/sitecustomize.py" in modules
    assert modules - set(known_to_git()) == set()


@pytest.mark.slow
def test_each_file_of_a_fresh_checkout_is_in_what_is_built_of_it(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source, built = tmp_path / "source", tmp_path / "built"
    names = known_to_git()
    for name in names:
        if name.startswith(FOLDERS) or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "setup.py", "-q", "build_py", "-d", str(built)]
    subprocess.run(command, cwd=source, capture_output=True, check=True, timeout=60)
    wanted = set()
    for name in names:
        folder, _, rest = name.partition("/")
        if folder in FOLDERS:
            wanted.add(f"{PLACES.get(folder, folder)}/{rest}")
    made = {one.relative_to(built).as_posix() for one in built.rglob("*") if one.is_file()}
    assert wanted - made == set()
