"""Imports point one way, and foreign packages are imported where they belong."""

from __future__ import annotations

import ast
import configparser
from pathlib import Path

import pytest

import wf_instrument

PACKAGE = Path(wf_instrument.__file__).parent
INTEGRATIONS = Path(__import__("wf_instrument.integrations", fromlist=["x"]).__file__).parent

#: A part may import parts of a lower rank, and itself.
RANKS = {
    "guard": -1, "speed": -1, "errors": 0, "_version": 0, "forking": 0, "process_exit": 0,
    "value_text": 0,
    "nearest_name": 0, "late_names": 0, "automatic": 0, "suppression": 0, "outgoing": 7.5,
    "identity": 1, "worker_slot": 1, "policies": 1, "plugins": 1, "settings_file": 1, "ticker": 1,
    "settings": 2, "settings_otel": 1, "settings_values": 1.5, "trust": 1,
    "metrics": 3, "sender": 3,
    "tracing": 4,
    "reporting": 5, "testing": 6,
    "web": 6, "backends": 6,
    "telemetry": 7, "dashboard": 7,
    "traced": 8, "pytest_plugin": 9,
    "integrations": 8,
    "compat": 9,
    "auto": 9.5, "cli": 10, "__main__": 11, "__init__": 0,
}  # fmt: skip


def modules() -> list[tuple[str, Path]]:
    found = [
        (p.relative_to(PACKAGE).parts[0].removesuffix(".py"), p) for p in PACKAGE.rglob("*.py")
    ]
    if INTEGRATIONS.parent != PACKAGE:
        found += [("integrations", path) for path in INTEGRATIONS.rglob("*.py")]
    return [(part, path) for part, path in found if path != (PACKAGE / "__init__.py")]


def run_time_imports(path: Path) -> list[str]:
    """Return the modules imported, those under TYPE_CHECKING left out."""
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module or "")
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


MODULES = modules()


@pytest.mark.parametrize(("part", "path"), MODULES, ids=[str(path) for _, path in MODULES])
def test_imports_point_to_lower_layers_only(part: str, path: Path) -> None:
    for name in run_time_imports(path):
        parts = name.split(".")
        assert parts[0] != "integrations", f"{path} makes a second copy of an integration"
        if parts[0] != "wf_instrument" or len(parts) == 1:
            continue
        its = parts[1]
        # Names of the top package that are modules count; `from wf_instrument import x` does not.
        if its in RANKS and its != part:
            assert RANKS[its] < RANKS[part], f"{path} ({part}) imports {name}"


def test_foreign_packages_are_imported_where_they_belong() -> None:
    homes = {
        "sqlite3": {"backends"}, "pyformance": {"metrics"}, "urllib3": {"sender", "integrations"},
        "click": {"cli"}, "starlette": {"dashboard", "integrations"},
        "websockets": {"backends"},
        "uvicorn": {"dashboard", "cli"},
        "opentracing": {"tracing", "outgoing", "integrations"}, "flask": {"integrations", "cli"},
        "anyio": {"integrations"}, "fastapi": {"integrations", "cli"},
        "litestar": {"integrations"}, "quart": {"integrations"},
        "django": {"integrations"}, "asgiref": {"integrations"},
        "requests": {"backends", "integrations"}, "httpx": {"integrations"},
        "aiohttp": {"integrations"},
        "celery": {"integrations"}, "sqlalchemy": {"integrations"},
    }  # fmt: skip
    for part, path in MODULES:
        for name in run_time_imports(path):
            root = name.split(".")[0]
            assert part in homes.get(root, {part}), f"{path} imports {root}"


def test_every_package_is_installed() -> None:
    listed = configparser.ConfigParser()
    listed.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    found = {
        ".".join(init.parent.relative_to(PACKAGE.parent).parts)
        for init in PACKAGE.rglob("__init__.py")
    }
    names = set(listed["options"]["packages"].split())
    found |= {
        ".".join(("wf_instrument.integrations", *init.parent.relative_to(INTEGRATIONS).parts))
        for init in INTEGRATIONS.rglob("__init__.py")
    }
    assert names == found


def test_every_module_is_of_a_known_part_and_a_readable_length() -> None:
    for part, path in MODULES:
        assert part in RANKS, path
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path
