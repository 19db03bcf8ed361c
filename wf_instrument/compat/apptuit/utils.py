"""`apptuit.utils`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.backends.apptuit.environment import strtobool
from wf_instrument.backends.apptuit.environment import (
    tags_from_environment as _get_tags_from_environment,
)
from wf_instrument.backends.apptuit.exceptions import ApptuitDataError
from wf_instrument.backends.apptuit.names import is_valid_name as _contains_valid_chars
from wf_instrument.backends.apptuit.names import sanitize_name_apptuit, sanitize_name_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "_contains_valid_chars",
    "_get_tags_from_environment",
    "_validate_tags",
    "sanitize_name_apptuit",
    "sanitize_name_prometheus",
    "strtobool",
]


def _validate_tags(tags: Iterable[str]) -> None:
    """Refuse tags with a key that cannot go as it is.

    Raises:
        ApptuitDataError: There is one; also a `ValueError`.
    """
    for key in tags:
        if not _contains_valid_chars(key):
            raise ApptuitDataError(f"tag key is {key!r}; give letters, digits and . - _ / only")
