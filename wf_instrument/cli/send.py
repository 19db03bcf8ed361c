"""`wf-instrument send`: metrics, histograms, spans and events into any reporter."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from wf_instrument.cli.duration import SECONDS
from wf_instrument.cli.send_sources import Columns, Item, csv_items, line_items, opened
from wf_instrument.cli.sending import Sending
from wf_instrument.reporting.datum import EventDatum, HistogramDatum, MetricDatum, SpanDatum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wf_instrument.reporting.datum import Datum

__all__ = ["send"]

_NOT_ALL: Final = 1
_BAR_STEP: Final = 500
_INTERRUPTED_TIMEOUT_S: Final = 2.0
_GRANULARITIES: Final[Mapping[str, str]] = {"minute": "!M", "hour": "!H", "day": "!D"}


class Pair(click.ParamType[Any] if TYPE_CHECKING else click.ParamType):  # type: ignore[misc]  # generic only from click 8.2 on
    """`key=value`."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, sign, text = str(value).partition("=")
        if not key.strip() or not sign or not text.strip():
            self.fail(f"{value!r} is no key=value", param, ctx)
        return key, text


class _NegativeNumbers(click.Command):
    """A command of which an argument may be a negative number, which click takes for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        # Only then, so that a misspelt option is still told as such.
        ctx.ignore_unknown_options = any(re.match(r"-\.?\d", text) for text in args)
        return super().parse_args(ctx, args)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what all commands take."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The summary as JSON."),
        click.option(
            "--timeout",
            "timeout_s",
            type=SECONDS,
            default="30s",
            show_default=True,
            help="How long to wait for the delivery of what is left at the end.",
        ),
        click.option(
            "--reporter",
            "reporters",
            multiple=True,
            metavar="URL",
            help="Where to; repeatable. Default: WF_REPORTER, else the local store.",
        ),
    ):
        command = option(command)
    return command


_tags = click.option("--tag", "tags", multiple=True, type=Pair(), help="A point tag; repeatable.")
_source = click.option("--source", help="Whom it is about; default: this host.")
_timestamp = click.option(
    "--timestamp", "timestamp_s", type=int, help="Unix seconds; default: now."
)


@click.group()
def send() -> None:
    """Send data from arguments, CSV or line files to any reporter."""


@send.command(cls=_NegativeNumbers)
@click.argument("name")
@click.argument("value", type=float)
@click.option("--delta", "is_delta", is_flag=True, help="A delta counter's change.")
@_timestamp
@_source
@_tags
@_options
def metric(
    name: str,
    value: float,
    is_delta: bool,
    timestamp_s: int | None,
    source: str | None,
    tags: tuple[tuple[str, str], ...],
    **options: Any,
) -> None:
    """Send one point."""
    full_name = "∆" + name.lstrip("∆Δ") if is_delta else name
    if timestamp_s is None and not is_delta:
        timestamp_s = int(time.time())
    _send_one(MetricDatum(full_name, value, timestamp_s, source, tags), options)


@send.command()
@click.argument("name")
@click.argument("centroids", nargs=-1, required=True, metavar="COUNT:MEAN...")
@click.option(
    "--granularity", type=click.Choice(list(_GRANULARITIES)), default="minute", show_default=True
)
@_timestamp
@_source
@_tags
@_options
def histogram(
    name: str,
    centroids: tuple[str, ...],
    granularity: str,
    timestamp_s: int | None,
    source: str | None,
    tags: tuple[tuple[str, str], ...],
    **options: Any,
) -> None:
    """Send one distribution, as counts and means: `20:30.5 10:5.1`."""
    pairs = tuple(_centroid(text) for text in centroids)
    datum = HistogramDatum(_GRANULARITIES[granularity], timestamp_s, pairs, name, source, tags)
    _send_one(datum, options)


@send.command()
@click.argument("name")
@click.option("--start-ms", type=int, help="Unix milliseconds; default: now.")
@click.option("--duration-ms", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--trace-id", type=uuid.UUID, help="Default: a new one.")
@click.option("--span-id", type=uuid.UUID, help="Default: a new one.")
@click.option("--parent", "parents", multiple=True, type=uuid.UUID, help="Span id; repeatable.")
@_source
@_tags
@_options
def span(
    name: str,
    start_ms: int | None,
    duration_ms: int,
    trace_id: uuid.UUID | None,
    span_id: uuid.UUID | None,
    parents: tuple[uuid.UUID, ...],
    source: str | None,
    tags: tuple[tuple[str, str], ...],
    **options: Any,
) -> None:
    """Send one span."""
    datum = SpanDatum(
        name=name,
        source=source,
        trace_id=trace_id or uuid.uuid4(),
        span_id=span_id or uuid.uuid4(),
        parents=parents,
        follows_from=(),
        tags=tags,
        start_ms=int(time.time() * 1000) if start_ms is None else start_ms,
        duration_ms=duration_ms,
    )
    _send_one(datum, options)


@send.command()
@click.argument("name")
@click.option("--start-ms", type=int, help="Unix milliseconds; default: now.")
@click.option("--end-ms", type=int, help="Unix milliseconds; default: the millisecond after.")
@click.option("--annotation", "annotations", multiple=True, type=Pair(), help="Repeatable.")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="Repeatable.")
@_source
@_options
def event(
    name: str,
    start_ms: int | None,
    end_ms: int | None,
    annotations: tuple[tuple[str, str], ...],
    tags: tuple[str, ...],
    source: str | None,
    **options: Any,
) -> None:
    """Send one event, to Wavefront."""
    start = int(time.time() * 1000) if start_ms is None else start_ms
    end = start + 1 if end_ms is None else end_ms
    _send_one(EventDatum(name, start, end, source, tags, annotations), options)


@send.command()
@click.argument("file")
@_options
def lines(file: str, **options: Any) -> None:
    """Send a file of lines in the Wavefront data format; `-` is standard input.

    Metrics, delta counters, histograms, spans, span logs and events may stand in any order.
    """
    with opened(file) as source:
        _send_all(line_items(source), source.size, **options)


@send.command("csv")
@click.argument("file")
@click.option("--name-column", help="Default: `name`, if there is such a column.")
@click.option(
    "--value-column", "value_columns", multiple=True, help="Repeatable; default: `value`."
)
@click.option("--timestamp-column", help="Default: `timestamp`, if there is such a column.")
@click.option("--source-column", help="Default: `source`, if there is such a column.")
@click.option("--tag-column", "tag_columns", multiple=True, help="Repeatable; default: all others.")
@click.option("--no-tags", is_flag=True, help="No other column is a tag.")
@click.option("--prefix", default="", help="Put in front of every name.")
@click.option("--delimiter", default=",", show_default=True, help="`\\t` for a tabulator.")
@_source
@_options
def csv_file(
    file: str,
    name_column: str | None,
    value_columns: tuple[str, ...],
    timestamp_column: str | None,
    source_column: str | None,
    tag_columns: tuple[str, ...],
    no_tags: bool,
    prefix: str,
    delimiter: str,
    source: str | None,
    **options: Any,
) -> None:
    """Send metrics from a CSV file with a header; `-` is standard input.

    Without a name column, each value column is a metric of its own name.
    """
    separator = "\t" if delimiter == "\\t" else delimiter
    if len(separator) != 1:
        raise click.BadParameter("give one character", param_hint="--delimiter")
    columns = Columns(
        name=name_column,
        values=value_columns,
        timestamp=timestamp_column,
        source=source_column,
        tags=tag_columns or (() if no_tags else None),
        prefix=prefix,
        default_source=source,
    )
    with opened(file) as file_source:
        _send_all(csv_items(file_source, columns, separator), file_source.size, **options)


def _centroid(text: str) -> tuple[float, int]:
    count, _, mean = text.partition(":")
    try:
        pair = float(mean), int(count)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is no COUNT:MEAN") from exc
    return pair


def _send_one(datum: Datum, options: Mapping[str, Any]) -> None:
    _send_all([Item(0, datum)], None, **options)


def _send_all(
    items: Iterable[Item],
    size: int | None,
    *,
    reporters: tuple[str, ...],
    timeout_s: float,
    as_json: bool,
) -> None:
    with Sending(reporters) as sending:
        was_interrupted = _take_all(sending, items, size)
        # Whoever interrupts does not want to wait much longer.
        sending.finish(min(timeout_s, _INTERRUPTED_TIMEOUT_S) if was_interrupted else timeout_s)
        if as_json:
            click.echo(json.dumps(sending.as_json(), indent=2))
        else:
            click.echo(sending.as_text())
        if was_interrupted:
            raise KeyboardInterrupt
        if not sending.is_complete:
            sys.exit(_NOT_ALL)


def _take_all(sending: Sending, items: Iterable[Item], size: int | None) -> bool:
    """Take everything, with a bar on a terminal; return whether Ctrl-C ended it early."""
    is_shown = size is not None and sys.stderr.isatty()
    bar: Any = (
        click.progressbar(length=size or 0, label="Sending", file=sys.stderr, width=30)
        if is_shown
        else nullcontext()
    )
    done = 0
    try:
        with bar:
            for number, item in enumerate(items, 1):
                sending.take(item)
                if is_shown and number % _BAR_STEP == 0:
                    bar.update(item.end_bytes - done)
                    done = item.end_bytes
            if is_shown:
                bar.update((size or 0) - done)
    except KeyboardInterrupt:
        return True
    return False
