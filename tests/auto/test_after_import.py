"""A callback after an import: once, with the module whole, and nothing left behind."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from wf_instrument.auto.after_import import after_import

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Offer a package `waited_for` with a module `part`."""
    folder = tmp_path / "waited_for"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "part.py").write_text("value = 7\n")
    (folder / "broken.py").write_text("raise RuntimeError('on purpose')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "waited_for"
    for name in [name for name in sys.modules if name.split(".")[0] == "waited_for"]:
        del sys.modules[name]


def test_it_is_called_once_when_the_module_is_whole(package: str) -> None:
    seen: list[int] = []
    # Through the package, as `import waited_for.part` binds it.
    after_import(f"{package}.part", lambda: seen.append(sys.modules[package].part.value))
    assert seen == []
    module = importlib.import_module(f"{package}.part")
    assert seen == [7]
    importlib.reload(module)
    assert seen == [7]


def test_of_a_module_that_is_there_it_is_called_at_once(package: str) -> None:
    importlib.import_module(package)
    seen: list[bool] = []
    after_import(package, lambda: seen.append(True))
    assert seen == [True]


def test_the_modules_loader_is_of_the_type_it_always_was(package: str) -> None:
    after_import(package, lambda: None)
    module = importlib.import_module(package)
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"
    assert "exec_module" not in vars(module.__spec__.loader)


def test_a_module_that_raises_raises_as_ever(package: str) -> None:
    seen: list[bool] = []
    after_import(f"{package}.broken", lambda: seen.append(True))
    with pytest.raises(RuntimeError, match="on purpose"):
        importlib.import_module(f"{package}.broken")
    assert seen == []


@pytest.mark.expects_caught
def test_a_callback_that_raises_does_not_reach_the_import(package: str) -> None:
    after_import(package, lambda: 1 / 0)
    assert importlib.import_module(package).__name__ == package


def test_finders_that_ask_one_another_find(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asking:
        """As other packages' hooks do: it asks all finders, us among them."""

        is_asking = False

        def find_spec(self, name: str, path: object = None, target: object = None) -> object:
            if name != package or self.is_asking:
                return None
            self.is_asking = True
            try:
                return importlib.util.find_spec(name)
            finally:
                self.is_asking = False

    seen: list[bool] = []
    after_import(package, lambda: seen.append(True))
    monkeypatch.setattr(sys, "meta_path", [sys.meta_path[0], Asking(), *sys.meta_path[1:]])
    importlib.import_module(package)
    assert seen == [True]
