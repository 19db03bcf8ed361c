"""Figures of the running interpreter, as points of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.metrics.runtime import RuntimeCollector
from wf_instrument.metrics.tagged_registry import TaggedRegistry
from wf_instrument.reporting.registry_producer import RegistryProducer

if TYPE_CHECKING:
    from wf_instrument.reporting.snapshot import SnapshotDraft

__all__ = ["RuntimeProducer"]


class RuntimeProducer:
    """Collects the figures when the pipeline drains.

    Attributes:
        collector: Where event loops may be added.
    """

    def __init__(self) -> None:
        registry = TaggedRegistry()
        self.collector = RuntimeCollector(registry)
        self._producer = RegistryProducer(registry)

    def drain_into(self, draft: SnapshotDraft) -> None:
        """Add the figures of now."""
        self.collector.collect()
        self._producer.drain_into(draft)
