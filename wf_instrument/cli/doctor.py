"""`wf-instrument doctor`: what would be seen, and whether it would arrive."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

import click

from wf_instrument._version import __version__
from wf_instrument.auto.discovery import installed_integrations, unknown_names
from wf_instrument.auto.start import ASKED_FOR
from wf_instrument.cli.duration import SECONDS
from wf_instrument.settings import DEFAULT_REPORTER, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.auto.found import Integration
    from wf_instrument.settings import Settings

__all__ = ["doctor"]

_FAILED: Final = 1
#: The point that is sent; its tag tells one check from another.
_METRIC: Final = "wf_instrument.doctor"


@dataclass(frozen=True, slots=True)
class _Finding:
    """One thing that was looked at: `ok`, `note` where it may be meant, or `wrong`."""

    about: str
    level: Literal["ok", "note", "wrong"]
    text: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON on standard output.")
@click.option(
    "--timeout", "timeout_s", type=SECONDS, default="10s", show_default=True,
    help="How long each reporter may take to answer.",
)  # fmt: skip
def doctor(as_json: bool, timeout_s: float) -> None:
    """Tell what would be instrumented, and send one marked point to each reporter.

    Looks at settings, integrations, reporters, the clock, the worker slot and the spool of a
    program started here. The status is 1 when something is wrong.
    """
    findings = []
    for finding in _findings(timeout_s):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.level:5}  {finding.about}: {finding.text}")
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings], indent=2))
    if any(one.level == "wrong" for one in findings):
        sys.exit(_FAILED)


def _findings(timeout_s: float) -> Iterator[_Finding]:
    version = platform.python_version()
    yield _Finding("wf-instrument", "ok", f"{__version__} on Python {version}, {sys.prefix}")
    problems: list[str] = []
    settings = load_settings(on_problem=lambda problem: problems.append(str(problem)))
    known = installed_integrations()
    for sentence in (*problems, *unknown_names(settings.disabled, known)):
        yield _Finding("settings", "wrong", sentence)
    if not settings.enabled:
        yield _Finding("settings", "note", "enabled is off: nothing is instrumented")
    for one in known:
        yield _integration(one, settings)
    yield _slot(settings)
    for url in settings.reporter or (DEFAULT_REPORTER,):
        yield from _reporter(url, settings, timeout_s)
    yield from _spool(settings)


def _integration(one: Integration, settings: Settings) -> _Finding:
    about = f"integration {one.name}"
    setting = ASKED_FOR.get(one.name)
    if one.name in settings.disabled:
        return _Finding(about, "note", "left out by the setting disabled")
    if one.why_not:
        level: Literal["note", "wrong"] = "wrong" if one.version else "note"
        return _Finding(about, level, one.why_not)
    if setting and not getattr(settings, setting):
        return _Finding(about, "note", f"waits for the setting {setting}")
    if not one.trigger:
        return _Finding(about, "note", "used from code alone")
    reason = _broken(one)
    if reason:
        return _Finding(about, "wrong", f"cannot be loaded: {reason}")
    return _Finding(about, "ok", f"{one.version or 'installed'}, by {one.provider}")


def _broken(one: Integration) -> str:
    from importlib.metadata import EntryPoint

    try:
        EntryPoint(one.name, one.value, "").load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to others' code
        return f"{type(error).__name__}: {error}"
    return ""


def _slot(settings: Settings) -> _Finding:
    from wf_instrument.worker_slot import run_folder, taken_slot

    identity = settings.identity()
    slot = taken_slot(identity.tags.application, identity.tags.service, identity.source)
    others = f"{slot} lower ones are taken" if slot else "no other process reports"
    return _Finding("worker slot", "ok", f"{slot} is free, {others}; locks in {run_folder()}")


def _reporter(text: str, settings: Settings, timeout_s: float) -> Iterator[_Finding]:
    from wf_instrument.errors import WFInstrumentError
    from wf_instrument.reporting.reporter_url import ReporterUrl

    about = "reporter"
    try:
        url = ReporterUrl.parse(text)
        about = f"reporter {url}"
        reason = _refusal(text, settings, timeout_s)
    except WFInstrumentError as error:
        yield _Finding(about, "wrong", str(error))
        return
    if reason:
        yield _Finding(about, "wrong", reason)
    else:
        yield _Finding(about, "ok", f"took the point {_METRIC!r}")
    if url.host:
        yield _clock(url, min(timeout_s, 5.0))


def _refusal(text: str, settings: Settings, timeout_s: float) -> str:
    """Send the point; return what kept it from arriving."""
    import time
    import uuid

    from wf_instrument.cli.send_sources import Item
    from wf_instrument.cli.sending import Sending
    from wf_instrument.reporting.datum import MetricDatum

    tags = (("check", uuid.uuid4().hex[:12]),)
    source = settings.identity().source
    with Sending((text,), settings) as sending:
        sending.take(Item(0, MetricDatum(_METRIC, 1.0, int(time.time()), source, tags)))
        sending.finish(timeout_s)
    if sending.is_complete:
        return ""
    # Its first line counts what was taken, which is one.
    lines = [line.strip() for line in sending.as_text().splitlines()[1:]]
    return "; ".join(lines) or "did not take the point"


def _clock(url: object, timeout_s: float) -> _Finding:
    """Compare this host's clock with what the receiver says the time is."""
    import http.client
    import time
    from email.utils import parsedate_to_datetime

    scheme, host, port = (getattr(url, name) for name in ("scheme", "host", "port"))
    is_tls = scheme.endswith("https")
    kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
    connection = kind(host, port, timeout=timeout_s)
    about = f"clock of {host}"
    try:
        connection.request("HEAD", "/")
        stamp = connection.getresponse().getheader("Date")
        skew_s = 0.0 if stamp is None else time.time() - parsedate_to_datetime(stamp).timestamp()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _Finding(about, "note", f"not told: {type(error).__name__}")
    finally:
        connection.close()
    if stamp is None:
        return _Finding(about, "note", "not told: no Date in the answer")
    # The header has whole seconds, and took its time to arrive.
    if abs(skew_s) > _MAX_SKEW_S:
        return _Finding(about, "wrong", f"{skew_s:+.0f} s apart from ours; set the clocks")
    return _Finding(about, "ok", "within two seconds of ours")


_MAX_SKEW_S: Final = 2.0


def _spool(settings: Settings) -> Iterator[_Finding]:
    if not settings.spool_dir:
        yield _Finding("spool", "note", "none: what cannot be delivered waits in memory alone")
        return
    from pathlib import Path

    from wf_instrument.sender.spool import spools_in

    folder = Path(settings.spool_dir)
    waiting = [one.status() for one in spools_in(folder)] if folder.is_dir() else []
    data, torn = sum(one.data for one in waiting), sum(one.torn for one in waiting)
    if torn:
        yield _Finding("spool", "wrong", f"{torn} files in {folder} cannot be read")
    level: Literal["ok", "note"] = "note" if data else "ok"
    yield _Finding("spool", level, f"{data:,} data wait in {folder}")
