"""Telling which extra brings what a command needs."""

from __future__ import annotations

from importlib.util import find_spec

from wf_instrument.errors import MissingExtraError

__all__ = ["require"]


def require(what: str, extra: str, *packages: str) -> None:
    """Check that packages are installed.

    Raises:
        MissingExtraError: One is not.
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(
                f"{what} needs the package {package!r}, which is not installed; "
                f"run: pip install 'wf-instrument[{extra}]'",
                name=package,
            )
