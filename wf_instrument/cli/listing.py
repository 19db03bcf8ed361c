"""`wf-instrument list`: integrations, reporters and settings."""

from __future__ import annotations

import json
from importlib.metadata import entry_points

import click

from wf_instrument.auto.discovery import installed_integrations
from wf_instrument.reporting.reporter_url import ENTRY_POINT_GROUP
from wf_instrument.settings import Settings, load_settings, setting_rows

__all__ = ["list_parts"]


@click.command(name="list")
@click.argument("what", type=click.Choice(["integrations", "reporters", "settings"]), nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON on standard output.")
def list_parts(what: tuple[str, ...], as_json: bool) -> None:
    """List what is installed and how it is set: integrations, reporters, settings."""
    tables = {
        "integrations": _integrations,
        "reporters": _reporters,
        "settings": _settings,
    }
    chosen = {name: table() for name, table in tables.items() if not what or name in what}
    if as_json:
        click.echo(json.dumps(chosen, indent=2))
        return
    for name, rows in chosen.items():
        click.echo(f"{name}:")
        width = max((len(row["name"]) for row in rows), default=0)
        for row in rows:
            click.echo(f"  {row['name']:{width}}  {row['about']}".rstrip())


def _integrations() -> list[dict[str, str]]:
    return [
        {
            "name": one.name,
            "about": one.why_not or " ".join(filter(None, (one.version, f"by {one.provider}"))),
        }
        for one in installed_integrations()
    ]


def _reporters() -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        by = "" if point.dist is None else f"by {point.dist.name} {point.dist.version}"
        found.setdefault(point.name, by)
    return [{"name": name, "about": found[name]} for name in sorted(found)]


def _settings() -> list[dict[str, str]]:
    # What is wrong is for `wf-instrument doctor` to tell.
    settings = load_settings(on_problem=lambda problem: None)
    return [{"name": row.name, "about": _shown(row.name, settings)} for row in setting_rows()]


def _shown(name: str, settings: Settings) -> str:
    row = next(row for row in setting_rows() if row.name == name)
    value = getattr(settings, name)
    if row.is_secret and value:
        return f"set, not shown ({row.variable})"
    mark = "" if value == row.default else " *"
    return f"{value!r}{mark} ({row.variable})"
