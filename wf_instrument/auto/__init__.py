"""Instrumenting what a program imports, without a change to its code."""

from wf_instrument.auto.start import auto_instrument

__all__ = ["auto_instrument"]
