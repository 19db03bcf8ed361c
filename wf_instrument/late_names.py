"""Names of a package that are loaded when they are first asked for.

For packages that hold more than most programs use: a worker of a server that records requests needs
no propagator by hand, no samplers, no reader of a store. The module's `__getattr__` is of PEP 562.

A name that is also the name of a module of the package is not for this: once anything imported
that module, the package's attribute is the module, and nobody asks here.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["late_names"]


def late_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package.

    The package imports the same names under `TYPE_CHECKING`, for type checkers and readers.

    Args:
        package: Its `__name__`.
        homes: The module of the package that each name is in, by name.
    """

    def __getattr__(name: str) -> object:  # noqa: N807 - its name
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{home}"), name)
        vars(sys.modules[package])[name] = value
        return value

    def __dir__() -> list[str]:  # noqa: N807 - its name
        return sorted({*vars(sys.modules[package]), *homes})

    return __getattr__, __dir__
