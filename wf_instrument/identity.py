"""Who reports: the application's tags, the source (host) and this process."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from wf_instrument.errors import ConfigError, MissingTagError
from wf_instrument.value_text import as_str

__all__ = ["NO_VALUE", "ApplicationTags", "Identity", "default_source"]

#: Value of a tag that a series carries but the application left unset.
#: Source: Wavefront SDK, `NULL_TAG_VAL`.
NO_VALUE: Final = "none"


class ApplicationTags:
    """Name an application in the terms every Wavefront SDK uses.

    Args:
        application: The application, for example `Ordering`.
        service: The service (one program of the application), for example `styling`.
        cluster: Where it runs, for example a region.
        shard: The part of the cluster, for example `primary`.
        custom_tags: Further tags, as pairs or as a mapping.

    Raises:
        MissingTagError: `application` or `service` is missing; also an `AttributeError`, as the
            older SDK raised.
    """

    def __init__(
        self,
        application: str,
        service: str,
        cluster: str | None = None,
        shard: str | None = None,
        custom_tags: Iterable[tuple[str, str]] | Mapping[str, str] | None = None,
    ) -> None:
        for name, value in (("application", application), ("service", service)):
            if not value or not as_str(value).strip():
                raise MissingTagError(
                    f"application tags need a {name}, got {value!r}; give any non-empty name"
                )
        self.application = as_str(application)
        self.service = as_str(service)
        self.cluster = cluster
        self.shard = shard
        pairs = custom_tags.items() if isinstance(custom_tags, Mapping) else custom_tags
        self.custom_tags: list[tuple[str, str]] = [(as_str(k), as_str(v)) for k, v in pairs or ()]

    def __repr__(self) -> str:
        return (
            f"ApplicationTags(application={self.application!r}, service={self.service!r}, "
            f"cluster={self.cluster!r}, shard={self.shard!r}, custom_tags={self.custom_tags!r})"
        )

    def get_as_list(self) -> list[tuple[str, str]]:
        """Return all tags as pairs; an unset cluster or shard reads `none`."""
        return [
            ("application", self.application),
            ("cluster", self.cluster or NO_VALUE),
            ("service", self.service),
            ("shard", self.shard or NO_VALUE),
            *self.custom_tags,
        ]

    def add_custom_tags_from_env(self, pattern: str) -> None:
        """Add every environment variable whose name matches `pattern`, ignoring case.

        The tag's key is the variable's name, its value the variable's value.

        Raises:
            ConfigError: `pattern` is no regular expression.
        """
        try:
            matcher = re.compile(pattern, re.IGNORECASE)
        except re.error as exc:
            raise ConfigError(
                f"custom tags come from the environment variables that match {pattern!r}, "
                f"which is no regular expression: {exc}"
            ) from exc
        self.custom_tags += [(k, v) for k, v in os.environ.items() if matcher.match(k)]

    def add_custom_tag_from_env(self, tag_key: str, var_key: str) -> None:
        """Add the value of one environment variable as the custom tag `tag_key`.

        Raises:
            ConfigError: The variable is not set.
        """
        value = os.environ.get(var_key)
        if not value:
            raise ConfigError(
                f"custom tag {tag_key!r} comes from the environment variable {var_key!r}, "
                "which is not set; set it or leave the tag out"
            )
        self.custom_tags.append((tag_key, value))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this process is in what it reports; immutable.

    Attributes:
        tags: The application's tags.
        source: The host, as it stands in `source=` and `host.name`.
        worker_slot: 0 for the only or first worker of a host; others add it as a point tag.
        instance_id: A random id of this process (`service.instance.id`).
        pid: The process id.
    """

    tags: ApplicationTags
    source: str
    worker_slot: int = 0
    instance_id: str = field(default_factory=lambda: _new_id())
    pid: int = field(default_factory=os.getpid)

    def in_child(self) -> Identity:
        """Return the identity of a forked child: the same names, another process."""
        return replace(self, instance_id=_new_id(), pid=os.getpid())

    def in_slot_of(self, reporting: Identity) -> Identity:
        """Return this identity in the worker slot of `reporting`, if that is in a later one.

        Reporters are made before the process takes its slot; snapshots tell them which it is.
        """
        slot = reporting.worker_slot or self.worker_slot
        return self if slot == self.worker_slot else replace(self, worker_slot=slot)


def default_source() -> str:
    """Return the host's name, or `unknown` on a host without one."""
    try:
        return socket.gethostname() or "unknown"
    except OSError:
        return "unknown"


def _new_id() -> str:
    # Imported here: `wf-instrument run` reads settings, and identifies nobody.
    import uuid

    return str(uuid.uuid4())
