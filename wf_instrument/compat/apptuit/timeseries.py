"""`apptuit.timeseries`."""

from wf_instrument.backends.apptuit.timeseries import decode_metric, encode_metric

__all__ = ["decode_metric", "encode_metric"]
