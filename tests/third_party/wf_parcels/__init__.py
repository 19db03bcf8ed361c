"""Somebody else's integration of the library `parcels`, and a reporter; public names only."""
