"""Dimensions in the local store: kept with the series, added up in a route's summary."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from samples import request_row, snapshot
from wf_instrument.backends.local import LocalReporter, StoreReader

if TYPE_CHECKING:
    from pathlib import Path


def test_series_keep_their_dimensions_and_a_summary_adds_them_up(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    reporter = LocalReporter(path)
    row = request_row("/a", 200, [0.1])
    tagged = [
        replace(row, key=replace(row.key, dimensions=(("tenant", name),)))
        for name in ("north", "south")
    ]
    reporter.report(snapshot(requests=[row, *tagged]))
    reporter.close(5)
    with closing(sqlite3.connect(path)) as connection:
        found = {text for (text,) in connection.execute("SELECT dimensions FROM series")}
    assert [json.loads(text) for text in sorted(found)] == [
        [["tenant", "north"]],
        [["tenant", "south"]],
        [],
    ]
    reader = StoreReader(path)
    assert [(one.route, one.count) for one in reader.summary()] == [("/a", 3)]
    reader.close()
