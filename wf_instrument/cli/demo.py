"""`wf-instrument demo`: a real application under real load, seen live."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wf_instrument.cli.extras import require
from wf_instrument.cli.load import LoadDriver
from wf_instrument.errors import WFInstrumentError
from wf_instrument.reporting.red_table import RedRow, red_table
from wf_instrument.reporting.reporter_url import make_reporter
from wf_instrument.reporting.snapshot import UNKNOWN_ROUTE
from wf_instrument.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wf_instrument.backends.local.reader import RouteSummary

__all__ = ["demo"]

_DRAIN_TIMEOUT_S: Final = 20.0
_STEP_S: Final = 0.1


class Seconds(click.ParamType[float]):
    """A duration such as `10s`, `2m` or `1.5`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|)", str(value).strip())
        if (
            match is None
            or not 0.1 <= (seconds := float(match[1]) * (60 if match[2] == "m" else 1)) <= 86400
        ):
            self.fail(f"{value!r} is no duration from 0.1s to 1440m; write 10s or 2m", param, ctx)
        return seconds


@click.command()
@click.option(
    "--for",
    "seconds",
    type=Seconds(),
    default="15s",
    show_default=True,
    help="How long to send requests.",
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
    seconds: float, headless: bool, as_json: bool, reporters: tuple[str, ...], port: int
) -> None:
    """Start a sample shop, send it real HTTP requests, and show what is recorded."""
    require("the demo", "demo", "flask")
    _check(reporters)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wf-instrument-demo-"))
        store = Path(folder) / "demo.db"
        app_port, stop_server = stack.enter_context(_served([f"local://{store}", *reporters]))
        page = None if headless else stack.enter_context(_page(store, port))
        if page is not None:
            click.echo(f"Live page: {page}\n", err=True)
        driver = LoadDriver(app_port)
        was_interrupted = _drive(driver, seconds)
        stop_server()
        click.echo(_result(store, driver, as_json=as_json))
        if page is not None and not was_interrupted and sys.stdout.isatty():
            _wait_for_interrupt(page)


def _check(reporters: tuple[str, ...]) -> None:
    """Refuse a wrong URL here, where it can be told, before any process is started."""
    settings = load_settings()
    for text in reporters:
        _, reporter, _ = make_reporter(text, settings.identity(), settings)
        reporter.close(0)


@contextmanager
def _served(reporters: list[str]) -> Iterator[tuple[int, Callable[[], None]]]:
    """Run the server process; yield its port and a function that lets it drain and end."""
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "wf_instrument.cli.demo_server", *reporters],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def stop() -> None:
        if process.stdin is not None:
            process.stdin.close()
        if process.wait(_DRAIN_TIMEOUT_S) != 0:
            raise WFInstrumentError(f"the demo's server ended with status {process.returncode}")

    try:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line.strip().isdigit():
            raise WFInstrumentError("the demo's server did not start")
        yield int(line), stop
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_DRAIN_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


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
    steps = max(1, round(seconds / _STEP_S))
    driver.start()
    was_interrupted = False

    def answers(step: int | None) -> str:
        return f"{sum(driver.sent.values())} answers"

    try:
        with click.progressbar(
            length=steps,
            label="Sending requests",
            file=sys.stderr,
            width=30,
            hidden=not sys.stderr.isatty(),
            item_show_func=answers,
        ) as bar:
            begun = time.monotonic()
            for step in range(steps):
                time.sleep(max(0.0, begun + (step + 1) * _STEP_S - time.monotonic()))
                bar.update(1, step)
    except KeyboardInterrupt:
        was_interrupted = True
    driver.stop()
    return was_interrupted


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
