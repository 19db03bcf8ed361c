"""Naming conventions: how dimensions become the series of a backend."""
