"""What integrations and reporters of other packages build on, beside the names of the first page.

An integration is a guest in the program: it wraps its own work in `guard`, so that no error of it
gets to the application, and raises `MissingExtraError` where the package it is for is missing.
"""

from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard

__all__ = ["MissingExtraError", "guard"]
