"""`wavefront_pyformance`."""
