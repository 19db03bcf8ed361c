"""SignalFx: ingest of data points and events, metadata, SignalFlow, and reporters."""
