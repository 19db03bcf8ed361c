"""Tags that connection, queue and aggregator pass on to measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TagHolder"]


class TagHolder:
    """Holds tags.

    Attributes:
        tags: Name to value.
    """

    tags: dict[str, str]

    def get_tags(self) -> dict[str, str]:
        """Return a copy of the tags."""
        return dict(self.tags)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Put other tags in place of all there are."""
        self.tags = dict(tags)

    def add_tags(self, tags: Mapping[str, str]) -> None:
        """Add tags; those of the same name are replaced."""
        self.tags = {**self.tags, **tags}
