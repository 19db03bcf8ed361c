"""`signalfx.version`: that of the client which this stands in for."""

__all__ = ["name", "user_agent", "version"]

name = "signalfx"
version = "1.1.16"
user_agent = f"{name}-python/{version}"
