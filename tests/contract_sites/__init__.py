"""The frameworks of the contract suite, one module each."""

from contract_sites.table import SITES

__all__ = ["SITES"]
