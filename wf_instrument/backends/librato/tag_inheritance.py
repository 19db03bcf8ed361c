"""Which tags a measurement goes with: its own, the queue's, the connection's.

Source:
    python-librato, README and behaviour of `inherit_tags`: the nearer wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["resolve_tags"]


def resolve_tags(
    properties: dict[str, Any], inherited: Mapping[str, str], *, empty_inherits: bool
) -> dict[str, str] | None:
    """Take `tags` and `inherit_tags` out of properties and return the tags to send.

    Args:
        properties: Changed: what is left are fields of the measurement.
        inherited: Tags of the queue and the connection.
        empty_inherits: Whether `tags={}` is as none; else it is sent.

    Returns:
        The tags; None when the measurement goes without tags, on the older path.

    Raises:
        TypeError: `tags` are no mapping.
    """
    does_inherit = bool(properties.pop("inherit_tags", False))
    own = properties.pop("tags", None)
    if own is not None and not hasattr(own, "items"):
        raise TypeError(f"tags are {own!r}; give a mapping of names to values")
    if own is None or (not own and empty_inherits):
        return dict(inherited) if inherited or own is not None else None
    return {**inherited, **own} if does_inherit else dict(own)
