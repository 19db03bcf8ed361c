"""What somebody gave to be instrumented, looked at before anything is changed."""

from __future__ import annotations

from wf_instrument.errors import ConfigError

__all__ = ["require"]


def require(app: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Do nothing for an application of a framework.

    Args:
        app: What was given.
        kind: The framework's class, or classes, of applications.
        wanted: What to give instead, in words.

    Raises:
        ConfigError: It is something else.
    """
    if isinstance(app, kind):
        return
    name = f"the class {app.__qualname__}" if isinstance(app, type) else type(app).__qualname__
    raise ConfigError(f"cannot instrument {name!r} as {wanted}")
