"""Exemplars on their way to reporters: added up, and written to a file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from samples import request_row, snapshot
from wf_instrument.reporting.file import FileReporter
from wf_instrument.reporting.merge import merge_requests
from wf_instrument.reporting.snapshot import Exemplar, RequestInterval

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_has_the_ids_of_exemplars_as_text(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    row = replace(request_row("/a", 200, [0.1]), exemplars=(Exemplar(7, 9, 0.1, 1_000),))
    FileReporter(path).report(snapshot(requests=[row]))
    assert json.loads(path.read_text())["exemplars"] == [
        {"trace_id": f"{7:032x}", "span_id": f"{9:016x}", "value_s": 0.1, "time_ns": 1_000}
    ]


@given(
    a=st.lists(st.integers(1, 1 << 40), unique=True),
    b=st.lists(st.integers(1, 1 << 40), unique=True),
)
def test_merging_keeps_the_latest_exemplar_of_each_octave(a: list[int], b: list[int]) -> None:
    def row(latencies: list[int], begun_ns: int) -> RequestInterval:
        latest = {ns.bit_length(): (ns, begun_ns + i) for i, ns in enumerate(latencies)}
        exemplars = tuple(
            Exemplar(1, ns, ns / 1e9, ended) for _, (ns, ended) in sorted(latest.items())
        )
        return replace(request_row("/a", 200, [0.1]), exemplars=exemplars)

    for merged in (
        merge_requests(row(a, 0), row(b, 1000)),
        merge_requests(row(b, 1000), row(a, 0)),
    ):
        expected = {ns.bit_length(): ns for ns in (*a, *b)}
        assert [one.span_id for one in merged.exemplars] == [
            ns for _, ns in sorted(expected.items())
        ]
