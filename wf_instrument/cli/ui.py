"""`wf-instrument ui`: the live page of a local store."""

from __future__ import annotations

from pathlib import Path

import click

from wf_instrument.cli.extras import require
from wf_instrument.errors import ConfigError
from wf_instrument.settings import load_settings

__all__ = ["ui"]


@click.command()
@click.argument("store", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8600, show_default=True, type=click.IntRange(0, 65535), help="0: any free."
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the token that visitors need; demanded off the loopback address.",
)
def ui(store: Path | None, host: str, port: int, token_file: Path | None) -> None:
    """Show a local store as a live page.

    STORE is the store's file; by default that of the service the settings name.
    """
    require("the page", "dashboard", "starlette", "uvicorn", "plotly")
    from wf_instrument.backends.local import default_path
    from wf_instrument.dashboard import DashboardServer

    path = store or default_path(load_settings().service)
    token = None if token_file is None else _token(token_file)
    server = DashboardServer(path, host=host, port=port, token=token)
    server.start()
    click.echo(f"{path}: {server.url}  (Ctrl-C ends)")
    try:
        server.wait()
    finally:
        server.stop(5)


def _token(path: Path) -> str:
    """Read the token.

    Raises:
        ConfigError: The file holds none.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no text"
        raise ConfigError(
            f"--token-file {path} cannot be read: {reason}; put a token into it"
        ) from exc
    if not token:
        raise ConfigError(f"--token-file {path} is empty; put a token into it")
    return token
