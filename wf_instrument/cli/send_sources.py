"""Where the data of `wf-instrument send` come from: files of lines, and CSV.

Everything is read line by line, so that a file may be larger than memory.
"""

from __future__ import annotations

import csv
import datetime
import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.line_parser import parse_line
from wf_instrument.errors import ConfigError
from wf_instrument.reporting.datum import MetricDatum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from wf_instrument.reporting.datum import Datum

__all__ = ["Columns", "Item", "Opened", "csv_items", "line_items", "opened"]

#: A line that is longer is no line of data, and is not kept in memory to find out.
MAX_LINE_BYTES: Final = 1_000_000
#: Above these a number is a time in milliseconds, in microseconds: the year 5138 in seconds.
_MILLIS_FROM: Final = 1e11
_MICROS_FROM: Final = 1e14
#: The end of the year 9999 in seconds: the last that a calendar knows.
_MAX_TIME_S: Final = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Item:
    """One datum, or why there is none.

    Attributes:
        line: Number of its line; 0 when it has none.
        datum: The datum.
        reason: Why the line was rejected.
        end_bytes: How much of the file was read with it.
    """

    line: int
    datum: Datum | None
    reason: str = ""
    end_bytes: int = 0


@dataclass(slots=True)
class Opened:
    """A file, or standard input.

    Attributes:
        size: Its bytes; None when nobody knows.
    """

    file: BinaryIO
    size: int | None

    def lines(self) -> Iterator[tuple[int, str, int]]:
        """Yield number, text and end of each line.

        Raises:
            ValueError: A line is no UTF-8 or too long.
        """
        number = end = 0
        while line := self.file.readline(MAX_LINE_BYTES):
            number += 1
            end += len(line)
            yield number, _text(line, is_first=number == 1), end


@contextmanager
def opened(name: str) -> Iterator[Opened]:
    """Open a file by its name; `-` is standard input.

    Raises:
        ConfigError: It cannot be read.
    """
    if name == "-":
        if sys.stdin is None:  # closed by whoever started us
            raise ConfigError("standard input is closed; name a file, or redirect one")
        yield Opened(sys.stdin.buffer, None)
        return
    path = Path(name)
    try:
        with path.open("rb") as file:
            yield Opened(file, path.stat().st_size if path.is_file() else None)
    except OSError as exc:
        raise ConfigError(f"file {name!r} cannot be read: {exc.strerror}; name another") from exc


def line_items(source: Opened) -> Iterator[Item]:
    """Read lines of the Wavefront data format; blank lines and comments (`# ...`) are left out."""
    for number, text, end in source.lines():
        stripped = text.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            yield Item(number, parse_line(text), end_bytes=end)
        except ValueError as error:
            yield Item(number, None, str(error), end)


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a CSV file mean.

    Attributes:
        name: Column of the metric's name; without it, each value column is a metric of its name.
        values: Columns of values.
        timestamp: Column of the time: Unix seconds, milliseconds or microseconds, or ISO 8601.
        source: Column of the source.
        tags: Columns of point tags; all others when None.
        prefix: Put in front of every name.
        default_source: In place of a source that is absent or blank.
    """

    name: str | None = None
    values: tuple[str, ...] = ()
    timestamp: str | None = None
    source: str | None = None
    tags: tuple[str, ...] | None = None
    prefix: str = ""
    default_source: str | None = None

    def resolved(self, header: list[str]) -> Columns:
        """Return the columns of a file with this header.

        Those not given are called `name`, `value`, `timestamp` and `source`, if there are such.

        Raises:
            ConfigError: A given column is not in the header, or there is no value column.
        """

        def found(given: str | None, usual: str) -> str | None:
            return given if given is not None else (usual if usual in header else None)

        made = Columns(
            name=found(self.name, "name") if not self.values or self.name else self.name,
            values=self.values or (("value",) if "value" in header else ()),
            timestamp=found(self.timestamp, "timestamp"),
            source=found(self.source, "source"),
            tags=self.tags,
            prefix=self.prefix,
            default_source=self.default_source,
        )
        wanted = [made.name, *made.values, made.timestamp, made.source, *(made.tags or ())]
        missing = [column for column in wanted if column is not None and column not in header]
        if missing:
            raise ConfigError(
                f"the CSV file has no column {missing[0]!r}; it has: {', '.join(header)}"
            )
        if not made.values:
            raise ConfigError(
                "the CSV file has no column 'value'; say which one with --value-column; "
                f"it has: {', '.join(header)}"
            )
        for column in filter(None, [*wanted, *made.tag_columns(header)]):
            if header.count(column) > 1:
                raise ConfigError(
                    f"the CSV file has more than one column {column!r}; give each its own name"
                )
        return made

    def tag_columns(self, header: list[str]) -> list[str]:
        """Return the columns that are point tags; one without a name (row numbers) is none."""
        if self.tags is not None:
            return list(self.tags)
        others = {"", self.name, *self.values, self.timestamp, self.source}
        return [column for column in header if column not in others]


def csv_items(source: Opened, columns: Columns, delimiter: str) -> Iterator[Item]:
    """Read metrics from CSV with a header; empty cells of values and tags are left out.

    Raises:
        ConfigError: There is no header, or it lacks a column.
    """
    end_bytes = 0
    is_over = False

    def texts() -> Iterator[str]:
        nonlocal end_bytes, is_over
        for _, text, end in source.lines():
            end_bytes = end
            yield text
        is_over = True

    reader = csv.reader(texts(), delimiter=delimiter)
    header = _header(reader)
    known = columns.resolved(header)
    tags = known.tag_columns(header)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Item(line, None, f"no CSV: {error}", end_bytes)
            continue
        if is_over:
            # A row that is complete is handed out before the reader asks for one more line.
            yield Item(line, None, "a quotation mark opens here and is never closed", end_bytes)
            return
        if not any(cell.strip() for cell in row):
            continue
        for datum in _row_data(row, header, known, tags):
            if isinstance(datum, str):
                yield Item(line, None, datum, end_bytes)
            else:
                yield Item(line, datum, end_bytes=end_bytes)


def _header(reader: Iterator[list[str]]) -> list[str]:
    """Return the first row that is not blank.

    Raises:
        ConfigError: There is none, or it is no CSV.
    """
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                return [column.strip() for column in row]
    except csv.Error as exc:
        reason = str(exc).partition(" - ")[0]
        raise ConfigError(
            f"the header of the CSV file cannot be read: {reason}; "
            "give a line of column names that ends with a line feed"
        ) from exc
    raise ConfigError("the CSV file is empty; its first line names the columns")


def _row_data(
    cells: list[str], header: list[str], columns: Columns, tag_columns: Iterable[str]
) -> Iterator[Datum | str]:
    """Yield the data of a row, or reasons why there are none."""
    missing = len(header) - len(cells)
    if missing > 0:
        yield f"the row has {missing} columns less than the header"
        return
    if any(cell.strip() for cell in cells[len(header) :]):
        # A comma without quotation marks, often in a number: all cells after it are shifted.
        yield f"the row has {-missing} columns more than the header"
        return
    row = dict(zip(header, cells, strict=False))
    try:
        time_s = _time(row[columns.timestamp]) if columns.timestamp else None
    except ValueError as error:
        yield str(error)
        return
    source = (row[columns.source].strip() if columns.source else "") or columns.default_source
    tags = tuple((key, row[key].strip()) for key in tag_columns if row[key].strip())
    for column in columns.values:
        cell = row[column].strip()
        name = row[columns.name].strip() if columns.name else column
        if not cell and len(columns.values) > 1:
            continue
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not name:
            yield "the name is blank"
        elif not math.isfinite(value):
            yield f"the value is {cell[:40]!r}, which is no finite number"
        else:
            yield MetricDatum(columns.prefix + name, value, time_s, source, tags)


def _time(cell: str) -> int | None:
    text = cell.strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return _iso_time(text)
    if not math.isfinite(number):
        raise ValueError(f"the time is {text[:40]!r}, which is none")
    if abs(number) >= _MICROS_FROM:
        number /= 1e6
    elif abs(number) >= _MILLIS_FROM:
        number /= 1e3
    if abs(number) > _MAX_TIME_S:
        raise ValueError(f"the time is {text[:40]!r}; give Unix seconds, milli- or microseconds")
    return int(number)


def _iso_time(text: str) -> int:
    try:
        # Python 3.10 does not know the Z.
        when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as exc:
        raise ValueError(
            f"the time is {text[:40]!r}; give Unix seconds or 2026-01-31T12:00:00Z"
        ) from exc
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.timezone.utc)
    return int(when.timestamp())


def _text(line: bytes, *, is_first: bool) -> str:
    # A wrong byte costs its line, not the file: what it stands for fits no name.
    return line.decode("utf-8-sig" if is_first else "utf-8", "replace")
