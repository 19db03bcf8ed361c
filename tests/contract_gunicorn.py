"""What gunicorn loads: a site of the contract suite, plain or instrumented.

`gunicorn "contract_gunicorn:plain('contract_sites.flask_corners', 'FlaskSite')"`; only that
module is loaded, since a worker's start is waited for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["ours", "plain"]


def plain(module: str, site: str) -> Any:
    """Return the application as it is."""
    return getattr(import_module(module), site)().make_app()


def ours(module: str, site: str, reporter: str) -> Any:
    """Return it instrumented."""
    made = getattr(import_module(module), site)()
    return made.instrument(made.make_app(), reporter=reporter)
