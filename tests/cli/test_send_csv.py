"""CSV as spreadsheets and data frames write it: nothing is sent that the file does not say."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wf_instrument.cli.send_sources import Columns, Opened, csv_items
from wf_instrument.errors import ConfigError
from wf_instrument.reporting.datum import MetricDatum

if TYPE_CHECKING:
    from wf_instrument.cli.send_sources import Item


def items(text: str) -> list[Item]:
    return list(csv_items(Opened(io.BytesIO(text.encode()), None), Columns(), ","))


def told(text: str) -> list[object]:
    """Return (name, value, tags) of what is sent, (line, reason) of what is rejected."""
    return [
        (one.datum.name, one.datum.value, one.datum.tags)
        if isinstance(one.datum, MetricDatum)
        else (one.line, one.reason)
        for one in items(text)
    ]


def test_a_row_with_more_cells_than_the_header_is_rejected() -> None:
    assert told("name,value\ncpu,1,5\nmem,2,\n") == [
        (2, "the row has 1 columns more than the header"),
        ("mem", 2.0, ()),
    ]


def test_a_quotation_mark_that_is_never_closed_is_told_with_its_line() -> None:
    assert told('name,value,note\nx,1,a\ny,2,"open\nz,3,b\n') == [
        ("x", 1.0, (("note", "a"),)),
        (3, "a quotation mark opens here and is never closed"),
    ]


def test_a_quoted_last_line_without_an_end_is_complete() -> None:
    assert told('name,value,note\nx,1,"a\nb"') == [("x", 1.0, (("note", "a\nb"),))]


def test_the_row_numbers_of_a_data_frame_are_no_tag() -> None:
    assert told(",name,value\n0,x,1\n") == [("x", 1.0, ())]


def test_blank_rows_are_left_out_before_and_after_the_header() -> None:
    assert told("\n ,,\nname,value,env\n,,\n  \nx,1,a\n,,\n") == [("x", 1.0, (("env", "a"),))]


@pytest.mark.parametrize("time", ["1e300", "99999999999999999999999", "1533529977123456789"])
def test_a_time_beyond_every_calendar_is_rejected(time: str) -> None:
    assert told(f"name,value,timestamp\nx,1,{time}\n") == [
        (2, f"the time is {time!r}; give Unix seconds, milli- or microseconds")
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,value,value\nx,1,2\n", "more than one column 'value'"),
        ("name,value,env,env\nx,1,a,b\n", "more than one column 'env'"),
        ("name,value\rx,1\r", "the header of the CSV file cannot be read"),
        (" , \n", "the CSV file is empty"),
    ],
)
def test_a_header_that_means_nothing_certain_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        items(text)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that can close a descriptor")
def test_closed_standard_input_is_told() -> None:
    command = [sys.executable, "-m", "wf_instrument", "send", "csv", "-", "--reporter", "null://"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "standard input is closed" in done.stderr
    assert "Traceback" not in done.stderr
