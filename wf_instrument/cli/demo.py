"""`wf-instrument demo`: a real application under real load, seen live."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import click

from wf_instrument.cli.demo_process import served
from wf_instrument.cli.duration import SECONDS
from wf_instrument.cli.extras import require
from wf_instrument.cli.load import LoadDriver
from wf_instrument.errors import StoreError
from wf_instrument.reporting.red_table import RedRow, encodable, red_table
from wf_instrument.reporting.reporter_url import make_reporter
from wf_instrument.reporting.snapshot import UNKNOWN_ROUTE
from wf_instrument.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.backends.local.reader import RouteSummary

__all__ = ["demo"]

_STEP_S: Final = 0.1


@click.command()
@click.option(
    "--for",
    "seconds",
    type=SECONDS,
    default="15s",
    show_default=True,
    help="How long to send requests.",
)
@click.option(
    "--app",
    "framework",
    type=click.Choice(["flask", "fastapi"]),
    default="flask",
    show_default=True,
    help="Framework of the sample shop.",
)
@click.option("--headless", is_flag=True, help="No page; ends by itself.")
@click.option("--json", "as_json", is_flag=True, help="The table as JSON on standard output.")
@click.option(
    "--reporter",
    "reporters",
    multiple=True,
    metavar="URL",
    help="Send to this backend too; may be given several times.",
)
@click.option(
    "--port",
    default=8600,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the page; 0: any free.",
)
def demo(
    seconds: float,
    framework: str,
    headless: bool,
    as_json: bool,
    reporters: tuple[str, ...],
    port: int,
) -> None:
    """Start a sample shop, send it real HTTP requests, and show what is recorded."""
    require("the demo", "demo" if framework == "flask" else f"demo,{framework}", framework)
    _check(reporters)
    # Else the server would outlive the command for a moment, and its store for good.
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        store = stack.enter_context(_new_store())
        # The page first: a port that is taken is told before anything runs.
        page = None if headless else stack.enter_context(_page(store, port))
        server = stack.enter_context(
            served(framework, [f"local://{quote(str(store))}", *reporters])
        )
        if page is not None:
            click.echo(f"Live page: {page}\n", err=True)
        driver = LoadDriver(server.port, framework)
        was_interrupted = _drive(driver, seconds)
        server.drain()
        result = _result(store, driver, as_json=as_json)
        click.echo(encodable(result, getattr(sys.stdout, "encoding", None)))
        if page is not None and not was_interrupted and sys.stdout.isatty():
            _wait_for_interrupt(page)


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)


@contextmanager
def _new_store() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="wf-instrument-demo-")
    except OSError as exc:
        raise StoreError(
            f"the demo's store cannot be made: {exc.strerror}; name a folder in TMPDIR that can be "
            "written"
        ) from exc
    with folder as name:
        yield Path(name) / "demo.db"


def _check(reporters: tuple[str, ...]) -> None:
    """Refuse a wrong URL here, where it can be told, before any process is started."""
    settings = load_settings()
    for text in reporters:
        _, reporter, _ = make_reporter(text, settings.identity(), settings)
        reporter.close(0)


@contextmanager
def _page(store: Path, port: int) -> Iterator[str]:
    require("the page", "demo", "starlette", "uvicorn", "plotly")
    from wf_instrument.dashboard import DashboardServer

    server = DashboardServer(store, host="127.0.0.1", port=port)
    server.start()
    try:
        yield server.url
    finally:
        server.stop(5)


def _drive(driver: LoadDriver, seconds: float) -> bool:
    """Send requests for so long; return whether Ctrl-C ended it early."""
    driver.start()
    was_interrupted = False
    try:
        if sys.stderr.isatty():
            _wait_with_bar(driver, seconds)
        else:
            time.sleep(seconds)
    except KeyboardInterrupt:
        was_interrupted = True
    driver.stop()
    return was_interrupted


def _wait_with_bar(driver: LoadDriver, seconds: float) -> None:
    steps = max(1, round(seconds / _STEP_S))
    begun = time.monotonic()

    def answers(step: int | None) -> str:
        return f"{driver.answers} answers"

    with click.progressbar(
        length=steps, label="Sending requests", file=sys.stderr, width=24, item_show_func=answers
    ) as bar:
        for step in range(1, steps + 1):
            time.sleep(max(0.0, begun + seconds * step / steps - time.monotonic()))
            bar.update(1, step)


def _result(store: Path, driver: LoadDriver, *, as_json: bool) -> str:
    from wf_instrument.backends.local import StoreReader

    reader = StoreReader(store)
    try:
        rows = reader.summary()
    finally:
        reader.close()
    if as_json:
        return json.dumps(_as_json(rows, driver), indent=2)
    total = sum(driver.sent.values())
    recorded = sum(row.count for row in rows)
    lines = [red_table([_red_row(row) for row in rows]), ""]
    lines.append(f"{total:,} requests answered, {recorded:,} recorded, {driver.failed} unanswered.")
    return "\n".join(lines)


def _red_row(row: RouteSummary) -> RedRow:
    return RedRow(
        row.route or UNKNOWN_ROUTE,
        row.method,
        row.count,
        row.rate_per_s,
        row.errors,
        row.p50_s,
        row.p95_s,
        row.p99_s,
        row.cpu_share,
    )


def _as_json(rows: list[RouteSummary], driver: LoadDriver) -> dict[str, object]:
    sent: dict[tuple[str, str], dict[str, int]] = {}
    for (method, route, status), count in sorted(driver.sent.items()):
        sent.setdefault((method, route), {})[str(status)] = count
    return {
        "routes": [
            {
                "route": row.route or UNKNOWN_ROUTE,
                "method": row.method,
                "requests": row.count,
                "rate_per_s": round(row.rate_per_s, 3),
                "errors": row.errors,
                "statuses": {str(status): count for status, count in row.statuses},
                "p50_ms": round(row.p50_s * 1e3, 3),
                "p95_ms": round(row.p95_s * 1e3, 3),
                "p99_ms": round(row.p99_s * 1e3, 3),
                "cpu_share": round(row.cpu_share, 4),
            }
            for row in rows
        ],
        "sent": [
            {"route": route, "method": method, "statuses": statuses}
            for (method, route), statuses in sent.items()
        ],
        "unanswered": driver.failed,
    }


def _wait_for_interrupt(page: str) -> None:
    click.echo(f"\nThe page stays at {page}; Ctrl-C ends.", err=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo(err=True)
