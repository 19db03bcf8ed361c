"""Which integrations are installed, when they are wanted, and why one would not be used.

An integration is an entry point of the group `wf_instrument.integrations`. Its name is that of the
package it is for, which is also the module whose import it waits for, unless the group
`wf_instrument.triggers` names another one. It names a function of a module:

- `instrument_app(app)` of a framework; the module's `APPLICATION_CLASSES` are the classes whose
  instances are instrumented when they are made;
- `install()` of a library, called once.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from wf_instrument.auto.distribution_facts import facts_of
from wf_instrument.auto.found import Integration
from wf_instrument.nearest_name import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import EntryPoint

__all__ = ["installed_integrations", "unknown_names"]

INTEGRATION_GROUP: Final = "wf_instrument.integrations"
TRIGGER_GROUP: Final = "wf_instrument.triggers"

#: Interfaces of no package: nothing is imported by that name.
_INTERFACES: Final = frozenset({"asgi", "wsgi"})


def installed_integrations() -> list[Integration]:
    """Return what is installed, by name; of two with one name the first that was found."""
    from importlib.metadata import entry_points

    every = entry_points()  # once: it reads a file of each installed distribution
    triggers = {point.name: point.value for point in every.select(group=TRIGGER_GROUP)}
    found: dict[str, Integration] = {}
    for point in every.select(group=INTEGRATION_GROUP):
        if point.name not in found:
            found[point.name] = _described(point, triggers.get(point.name, point.name))
    return [found[name] for name in sorted(found)]


def unknown_names(disabled: Iterable[str], known: Iterable[Integration]) -> Iterator[str]:
    """Yield a sentence for each name of the setting `disabled` that is no integration."""
    names = [one.name for one in known]
    for name in disabled:
        if name not in names:
            yield (
                f"setting disabled (WF_DISABLED) names {name!r}, which is no installed "
                f"integration; {nearest(name, names)}"
            )


def _described(point: EntryPoint, trigger: str) -> Integration:
    package = point.name
    by = None if point.dist is None else facts_of(point.dist)
    provider = "" if by is None else f"{by.name} {by.version}"
    if package in _INTERFACES:
        return Integration(package, "", point.value, provider=provider)
    if package in sys.stdlib_module_names:
        return Integration(package, trigger, point.value, provider=provider)
    version = _version_of(package)
    why_not = ""
    if not version:
        why_not = "" if _is_importable(package) else f"{package} is not installed"
    else:
        needed = _lower_bound(() if by is None else by.requires, package)
        if needed and _as_numbers(version) < _as_numbers(needed):
            why_not = f"{package} {version} is too old; {needed} or later is needed"
    return Integration(package, trigger, point.value, why_not, version, provider)


def _version_of(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return facts_of(distribution(package)).version
    except (PackageNotFoundError, ValueError):
        return ""


def _is_importable(package: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _lower_bound(requires: Iterable[str], package: str) -> str:
    """Return the lowest version that the integration's distribution asks for, empty for none."""
    wanted = re.compile(rf"{re.escape(package)}\b[^;]*>=\s*([\d.]+)", re.IGNORECASE)
    for line in requires:
        match = wanted.match(line)
        if match:
            return match[1]
    return ""


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
