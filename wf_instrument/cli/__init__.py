"""The command `wf-instrument`."""

from wf_instrument.cli.main import main

__all__ = ["main"]
