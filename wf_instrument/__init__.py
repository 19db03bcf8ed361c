"""See your web application: every request timed, counted and traced."""

from wf_instrument._version import __version__

__all__ = ["__version__"]
