"""Calling a function when a module has been imported, without importing it.

Not by `wrapt`, whose import alone takes half as long as Flask's, in each process of a server.

Threads: any; the call runs in the thread that imports.
Locks: none; `_callbacks` is changed by single operations of a dictionary.
Fork: nothing to reset.
"""

from __future__ import annotations

import functools
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["after_import"]

_callbacks: dict[str, list[Callable[[], object]]] = {}


def after_import(name: str, callback: Callable[[], object]) -> None:
    """Call `callback` once the module `name` was executed; at once if it was already."""
    if name in sys.modules:
        _call([callback])
        return
    _callbacks.setdefault(name, []).append(callback)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _call(callbacks: list[Callable[[], object]]) -> None:
    for callback in callbacks:
        _guarded("auto.after_import", callback)


def _guarded(where: str, call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the border to the application
        # Imported here: it takes `logging` along, into processes that log nothing.
        from wf_instrument.guard import caught

        caught(where, error)


class _Finder:
    """Stands first in `sys.meta_path`, and has the other finders find."""

    def __init__(self) -> None:
        self._searched: set[tuple[int, str]] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that is waited for, as the others find it."""
        if name not in _callbacks:
            return None
        # Finders of this kind, of other packages, ask all finders, us among them.
        key = (get_ident(), name)
        if key in self._searched:
            return None
        self._searched.add(key)
        try:
            spec = self._found_by_others(name, path, target)
        finally:
            self._searched.discard(key)
        if spec is not None and spec.loader is not None:
            _guarded("auto.find_spec", functools.partial(_watch, spec.loader, name))
        return spec

    def _found_by_others(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            find: Any = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                return spec
        return None


def _watch(loader: Any, name: str) -> None:
    """Have a loader tell when it executed the module."""
    # On the loader itself: one of another type would break whoever asks for its type.
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if module.__name__ == name:
            vars(loader).pop("exec_module", None)
            _guarded("auto.exec_module", functools.partial(_bind, module))
            _call(_callbacks.pop(name, []))

    loader.exec_module = exec_module


def _bind(module: ModuleType) -> None:
    """Give the parent package its attribute, as the import is about to do itself."""
    parent, _, child = module.__name__.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


_finder: Any = _Finder()
