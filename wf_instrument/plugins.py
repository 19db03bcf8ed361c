"""What integrations and reporters of other packages build on, beside the names of the first page.

An integration is a guest in the program: it wraps its own work in `guard`, so that no error of it
gets to the application, and raises `MissingExtraError` where the package it is for is missing. It
leaves out what it sees while `is_suppressed()`: the library's own work, or part of a recorded call.
"""

from wf_instrument.errors import MissingExtraError
from wf_instrument.guard import guard
from wf_instrument.suppression import is_suppressed

__all__ = ["MissingExtraError", "guard", "is_suppressed"]
