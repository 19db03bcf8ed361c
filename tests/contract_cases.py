"""Which frameworks and servers a test of the contract suite runs for, and what it compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract_servers import SERVERS
from contract_sites.table import SITES

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from contract_site import Record
    from wf_instrument.reporting.snapshot import RequestInterval

__all__ = ["key_of", "pairs", "told"]


def pairs(
    corner: str | None = None, *, on: tuple[str, ...] = (), variants: bool = True
) -> list[ParameterSet]:
    """Return every site that has the corner, with every server, or those named.

    Without `variants`, only the sites that are named as their framework is.
    """
    return [
        pytest.param(site, server, id=f"{site.name}-{server}")
        for site in SITES
        if variants or site.name in (site.framework, f"{site.framework}-{site.interface}")
        for server in SERVERS[site.interface]
        if (not on or server in on) and (corner is None or corner in site.records)
    ]


def key_of(record: Record) -> tuple[object, ...]:
    """Return what of a record is no figure."""
    return (
        record.route,
        record.func,
        record.method,
        record.status,
        record.outcome,
        record.error,
    )


def told(row: RequestInterval) -> tuple[object, ...]:
    """Return the same of what was recorded."""
    key = row.key
    return key.route, key.func, key.method, key.status, key.outcome, key.error_type
