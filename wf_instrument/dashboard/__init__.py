"""The local web page of a store: JSON, a live stream, and static files."""

from wf_instrument.dashboard.application import make_app
from wf_instrument.dashboard.server import DashboardServer

__all__ = ["DashboardServer", "make_app"]
