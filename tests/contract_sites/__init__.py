"""The frameworks of the contract suite, one module each, listed in `table.py`."""
