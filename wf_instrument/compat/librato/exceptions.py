"""`librato.exceptions`."""

from wf_instrument.backends.librato.exceptions import (
    CODES,
    BadRequest,
    ClientError,
    Forbidden,
    NotFound,
    Unauthorized,
    get,
)

__all__ = ["CODES", "BadRequest", "ClientError", "Forbidden", "NotFound", "Unauthorized", "get"]
