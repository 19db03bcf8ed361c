"""Adapters, one module a framework; installed as `wf_instrument.integrations`."""
