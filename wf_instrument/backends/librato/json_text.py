"""JSON, query strings and paths of the Librato API; no I/O.

Source:
    Librato API reference, "Making requests", "Measurements".
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from wf_instrument.backends.librato.exceptions import BadAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "JsonObject",
    "decode_body",
    "encode_query",
    "finite_number",
    "json_body",
    "path_of",
    "to_object",
]

JsonObject = dict[str, Any]

_JSON: Final = "application/json"


def json_body(data: object) -> bytes:
    """Return data as JSON.

    Raises:
        ValueError: It holds NaN, an infinite number, or what JSON has no form for.
    """
    try:
        return json.dumps(data, allow_nan=False).encode("ascii")
    except (TypeError, RecursionError) as exc:
        raise ValueError(f"a request cannot be written as JSON: {exc}") from None
    except ValueError:
        raise ValueError(
            "a request holds NaN or an infinite number, which JSON has no form for; leave it out"
        ) from None


def decode_body(body: bytes, content_type: str | None, *, is_error: bool = False) -> Any:
    """Return what an answer holds: None when empty, a text when it is no JSON.

    Args:
        body: The content.
        content_type: Of the header; None counts as JSON.
        is_error: Whether the status is that of an error, whose broken body is taken as text.

    Raises:
        BadAnswer: It says that it is JSON and is not.
    """
    if not body:
        return None
    kind, _, parameters = (content_type or _JSON).partition(";")
    text = body.decode(_charset(parameters), "replace")
    if kind.strip().lower() != _JSON:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if is_error or content_type is None:
            return text
        raise BadAnswer(None, f"the service answered what is no JSON: {text[:80]!r}") from None


def encode_query(parameters: Mapping[str, object]) -> str:
    """Return parameters as a query string: lists as `key[]`, tags as `tags[name]`, no None."""
    return urlencode([(key, _text(value)) for key, value in _pairs(parameters)])


def path_of(*segments: object) -> str:
    """Return a path in which each segment stands for itself, whatever it holds.

    Raises:
        ValueError: One is empty, or a dot or two, which would name something else.
    """
    texts = [str(segment) for segment in segments]
    for text in texts:
        if text in {"", ".", ".."}:
            raise ValueError(f"{text!r} names nothing; give a name or an id")
    return "/".join(quote(text, safe=":") for text in texts)


def finite_number(value: object, what: str) -> int | float:
    """Return a value as a number that JSON has a form for.

    Raises:
        ValueError: It is none.
    """
    number: int | float
    if type(value) in (int, float):
        number = value  # type: ignore[assignment]  # checked above
    else:
        try:
            number = float(value)  # type: ignore[arg-type]  # what is no number raises
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{what} is {value!r}; give a number") from None
    if not _is_finite(number):
        raise ValueError(f"{what} is {value!r}; the service takes finite numbers alone")
    return number


def to_object(answer: object, what: str) -> JsonObject:
    """Return an answer that should be an object.

    Raises:
        BadAnswer: It is not.
    """
    if not isinstance(answer, dict):
        raise BadAnswer(None, f"{what} should be an object and is {str(answer)[:80]!r}")
    return answer


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer larger than any float
        return False


def _pairs(parameters: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in parameters.items():
        if key == "tags" and isinstance(value, dict):
            yield from _pairs({f"tags[{name}]": one for name, one in value.items()})
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield from ((f"{key}[]", one) for one in value if one is not None)
        elif value is not None:
            yield key, value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _charset(parameters: str) -> str:
    for one in parameters.split(";"):
        name, _, value = one.partition("=")
        if name.strip().lower() == "charset":
            try:
                "".encode(value.strip(' "'))
            except LookupError:
                break
            return value.strip(' "')
    return "utf-8"
