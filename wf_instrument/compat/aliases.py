"""The import names of legacy packages, answered by modules of this library.

One table says which package stands in for which. A finder in front of all others gives, for a
module of a legacy package, the module of ours itself: one object under two names in `sys.modules`.
It keeps its own `__name__` and `__spec__`, so that pickles, `inspect` and `importlib.reload` work.

Threads: any; the import system's own locks do the work. `install` and `uninstall` are for the
    program's beginning and end.
Fork: a child inherits what is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Final

from wf_instrument.compat.absent_names import absent_module, answer_absent_names, forget
from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["LEGACY_PACKAGES", "install", "uninstall"]

#: Top-level import name of a legacy package to the package of ours with the same tree of modules.
LEGACY_PACKAGES: Final = {
    "apptuit": "wf_instrument.compat.apptuit",
    "librato": "wf_instrument.compat.librato",
    "signalfx": "wf_instrument.compat.signalfx",
    "wavefront_flask_sdk": "wf_instrument.compat.wavefront_flask_sdk",
    "wavefront_opentracing_sdk": "wf_instrument.compat.wavefront_opentracing_sdk",
    "wavefront_pyformance": "wf_instrument.compat.wavefront_pyformance",
    "wavefront_sdk": "wf_instrument.compat.wavefront_sdk",
}


def install(*, shadow: bool = False) -> tuple[str, ...]:
    """Let the legacy packages' import names give this library's modules, in this process.

    A legacy package that is installed or was imported is left alone, unless `shadow` is set, which
    hides it without changing it. From now on `import pyformance` works too, also where setuptools
    is too new or absent. Each call decides anew.

    Args:
        shadow: Whether ours stand in for installed packages too.

    Returns:
        The names that give ours from now on, sorted.

    Raises:
        ConfigError: With `shadow`, one of the legacy packages was imported already.
    """
    if shadow:
        for name in LEGACY_PACKAGES:
            _refuse_if_imported(name)
    _remove_finder()
    _finder.taken = {
        name for name in LEGACY_PACKAGES if _is_ours(name) or shadow or not _is_there(name)
    }
    # First, also before finders that came after an earlier call.
    sys.meta_path.insert(0, _finder)
    # Importing it is what makes pyformance importable.
    importlib.import_module("wf_instrument.metrics.pyformance_shim")
    return tuple(sorted(_finder.taken))


def uninstall() -> None:
    """Undo `install`; modules and names imported meanwhile stay what they are."""
    _remove_finder()
    _finder.taken = set()
    for name in list(sys.modules):
        if _own_name(name) is not None and _is_ours(name):
            forget(sys.modules.pop(name))


class _AliasFinder(MetaPathFinder):
    """Finds modules of legacy packages in ours.

    Attributes:
        taken: The packages it answers for.
    """

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a spec for a name of a package it answers for, None for any other.

        Raises:
            ModuleNotFoundError: Ours has no such module; it says what there is.
        """
        own_name = _own_name(fullname)
        if own_name is None or fullname.partition(".")[0] not in self.taken:
            return None
        own = importlib.util.find_spec(own_name)
        if own is None:
            raise absent_module(fullname, own_name)
        alias = ModuleSpec(fullname, _AliasLoader(own_name), origin=own.origin)
        alias.submodule_search_locations = own.submodule_search_locations
        return alias


class _AliasLoader(Loader):
    """Puts the module of ours under the legacy name."""

    def __init__(self, own_name: str) -> None:
        self._own_name = own_name

    def exec_module(self, module: ModuleType) -> None:
        """Replace the empty module Python made, which importers of other threads wait for."""
        # The import system returns what stands here afterwards. Returning our module from
        # `create_module` would overwrite its `__spec__`.
        own = importlib.import_module(self._own_name)
        answer_absent_names(own, module.__name__)
        sys.modules[module.__name__] = own


def _remove_finder() -> None:
    while _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def _own_name(name: str) -> str | None:
    """Return the name of the module of ours behind a legacy name, None for any other name."""
    top, dot, rest = name.partition(".")
    own_top = LEGACY_PACKAGES.get(top)
    return None if own_top is None else f"{own_top}{dot}{rest}"


def _is_ours(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and module is sys.modules.get(_own_name(name) or "")


def _is_there(name: str) -> bool:
    """Return whether a legacy package is installed or imported. Ours is not to be found now."""
    if name in sys.modules:
        return True
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # another finder's mistake, or a broken installation
        return True
    # A folder of that name that holds no package, the program's own for example, is none.
    return found is not None and found.loader is not None and found.origin is not None


def _refuse_if_imported(name: str) -> None:
    module = sys.modules.get(name)
    if module is None or _is_ours(name):
        return
    where = getattr(module, "__file__", None) or "a place without a file"
    raise ConfigError(
        f"compat.install() cannot stand in for {name!r}, which was imported already from {where}; "
        "call wf_instrument.compat.install() before the first import of it"
    )


_finder: Final = _AliasFinder()
