"""Each corner of each framework under each server: the response is the same, the record right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract_client import Answer, exchange
from contract_servers import SERVERS
from contract_site import EXCHANGES, Record
from contract_sites.table import SITES

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract_site import Site


CASES = [
    pytest.param(site, server, corner, id=f"{site.name}-{server}-{corner}")
    for site in SITES
    for server in SERVERS[site.interface]
    for corner in EXCHANGES
    if corner in site.records
]


@pytest.mark.parametrize(("site", "server", "corner"), CASES)
def test_the_response_is_the_same_and_recorded_once_as_it_was(
    stands: Callable, site: Site, server: str, corner: str
) -> None:
    stand = stands(site, server)
    without = exchange(stand.plain, EXCHANGES[corner])
    with_us = exchange(stand.ours, EXCHANGES[corner])
    assert with_us == without

    (row,) = stand.ledger.take_rows()
    expected = site.records[corner]
    assert row.count == 1
    assert row.key.framework == site.framework
    key = row.key
    sizes = row.response_bytes, row.request_bytes
    assert all(size is not None and size.count == 1 for size in sizes)
    seen = Record(
        route=key.route,
        func=key.func,
        method=key.method,
        status=key.status,
        outcome=key.outcome,
        error=key.error_type,
        sent=None if expected.sent is None else sizes[0].sum,
        received=int(sizes[1].sum),
    )
    assert seen == expected
    if expected.sent is None:
        assert sizes[0].sum == len(Answer(with_us).body)
