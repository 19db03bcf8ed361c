"""`signalfx`: the clients of SignalFx."""
