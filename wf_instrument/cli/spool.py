"""`wf-instrument spool`: what waits on disk for a service that could not be reached."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wf_instrument.cli.duration import SECONDS
from wf_instrument.errors import ConfigError
from wf_instrument.reporting.reporter_url import make_reporter
from wf_instrument.sender.spool import Spool, spools_in
from wf_instrument.settings import load_settings

if TYPE_CHECKING:
    from wf_instrument.reporting.reporter import Reporter
    from wf_instrument.sender.spool import SpoolStatus

__all__ = ["spool"]

_STEP_S: Final = 0.5
_NOT_ALL: Final = 1

_folder = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The spool's folder; by default that of the settings (WF_SPOOL_DIR).",
)


@click.group()
def spool() -> None:
    """See, deliver or delete what waits on disk."""


@spool.command()
@_folder
@click.option("--json", "as_json", is_flag=True, help="As JSON on standard output.")
def status(folder: Path | None, as_json: bool) -> None:
    """Show what waits, by destination and kind."""
    found = _waiting(_resolved(folder))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
    elif not found:
        click.echo("nothing waits")
    else:
        click.echo(_table(found))


@spool.command()
@_folder
@click.option(
    "--reporter", "reporters", multiple=True, metavar="URL", help="Whose; default: WF_REPORTER."
)
@click.option(
    "--timeout", "timeout_s", type=SECONDS, default="60s", show_default=True, help="Give up then."
)
def drain(folder: Path | None, reporters: tuple[str, ...], timeout_s: float) -> None:
    """Deliver what waits for the given reporters now; status 1 when something is left."""
    path = _resolved(folder)
    settings = load_settings({"spool_dir": str(path)})
    urls = reporters or settings.reporter
    if not urls:
        raise ConfigError("no reporter to drain to: give --reporter URL, or set WF_REPORTER")
    before = _count(path)
    made = [make_reporter(text, settings.identity(), settings)[1] for text in urls]
    try:
        _flush(made, path, before, timeout_s)
    finally:
        for reporter in made:
            reporter.close(1.0)
    left = _count(path)
    click.echo(f"{before - left:,} data left the spool, {left:,} wait")
    if left:
        click.echo(_table(_waiting(path)))
        sys.exit(_NOT_ALL)


@spool.command()
@_folder
@click.argument("destinations", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(folder: Path | None, destinations: tuple[str, ...], yes: bool) -> None:
    """Delete what waits for DESTINATIONS, or everything."""
    path = _resolved(folder)
    chosen = [one for one in _spools(path) if not destinations or one.destination in destinations]
    unknown = sorted(set(destinations) - {one.destination for one in chosen})
    if unknown:
        raise ConfigError(
            f"spool folder {str(path)!r} has no destination {unknown[0]!r}; "
            "`wf-instrument spool status` shows those it has"
        )
    data = sum(one.status().data for one in chosen)
    if not yes:
        click.confirm(f"Delete {data:,} data that were never delivered?", abort=True)
    files = sum(one.clear() for one in chosen)
    click.echo(f"{files:,} files deleted")


def _resolved(folder: Path | None) -> Path:
    if folder is None:
        name = load_settings().spool_dir
        if not name:
            raise ConfigError("no spool folder: give --dir FOLDER, or set WF_SPOOL_DIR")
        folder = Path(name)
    if not folder.is_dir():
        raise ConfigError(f"spool folder {str(folder)!r} does not exist; name another one")
    return folder


def _spools(folder: Path) -> list[Spool]:
    return spools_in(folder)


def _waiting(folder: Path) -> list[SpoolStatus]:
    found = [one.status() for one in _spools(folder)]
    return [one for one in found if one.files or one.torn]


def _count(folder: Path) -> int:
    return sum(one.data for one in _waiting(folder))


def _flush(made: list[Reporter], folder: Path, total: int, timeout_s: float) -> None:
    """Flush until nothing is left or the time is over, with progress on a terminal."""
    deadline = time.monotonic() + timeout_s
    with click.progressbar(
        length=max(total, 1),
        label="Delivering",
        file=sys.stderr,
        width=30,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        done = 0
        todo = list(made)
        while todo and time.monotonic() < deadline:
            rest_s = max(0.0, deadline - time.monotonic())
            todo = [one for one in todo if not one.flush(min(_STEP_S, rest_s))]
            now_done = max(total - _count(folder), done)
            bar.update(now_done - done)
            done = now_done


def _table(rows: list[SpoolStatus]) -> str:
    now_s = time.time()
    cells = [("destination", "kind", "batches", "data", "size", "oldest", "torn")]
    for row in rows:
        age = "-" if row.oldest_s is None else _age(now_s - row.oldest_s)
        size = f"{row.byte_size / 1e6:,.1f} MB"
        cells.append(
            (row.destination, row.kind, f"{row.files:,}", f"{row.data:,}", size, age, f"{row.torn}")
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _age(seconds: float) -> str:
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 0):.0f} s"
