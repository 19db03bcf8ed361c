"""What a setting's value may be, by its type: how it is read, and how it is told.

Values come from code as they are, from a settings file as TOML has them, from the environment and
the command line as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wf_instrument.policies import policies_of
from wf_instrument.trust import trust_rule

__all__ = ["CONVERTERS", "TYPE_WORDS"]

_LOG_FORMS: Final = ("off", "text", "json")


def _to_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().lower()
        if text in {"1", "true", "yes", "on"}:
            return True
        if text in {"0", "false", "no", "off"}:
            return False
    raise ValueError(value)


def _to_str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value.strip()


def _to_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(value)
    return int(value)


def _to_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(value)
    return float(value)


def _to_strings(separator: str | None) -> Callable[[object], tuple[str, ...]]:
    def convert(value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(separator) if part.strip())
        if isinstance(value, list | tuple):
            return tuple(_to_str(part) for part in value)
        raise TypeError(value)

    return convert


def _to_names(value: object) -> tuple[str, ...]:
    return _to_strings(None)(value.replace(",", " ") if isinstance(value, str) else value)


def _to_pairs(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        return tuple(_to_pair(part) for part in value.split(",") if part.strip())
    if isinstance(value, Mapping):
        return tuple(_to_pair(item) for item in value.items())
    if isinstance(value, list | tuple):
        return tuple(_to_pair(item) for item in value)
    raise TypeError(value)


def _to_pair(item: object) -> tuple[str, str]:
    parts = item.split("=", 1) if isinstance(item, str) else item
    if not isinstance(parts, list | tuple) or len(parts) != 2:
        raise ValueError(item)
    key, text = (str(part).strip() for part in parts)
    if not key or not text:  # no backend takes a blank key or value
        raise ValueError(item)
    return key, text


def _to_log_form(value: object) -> str:
    text = "off" if value is False else _to_str(value).lower()
    if text not in _LOG_FORMS:
        raise ValueError(value)
    return text


#: By the type's name in the table; each raises TypeError or ValueError for what does not fit.
CONVERTERS: Final[Mapping[str, Callable[[object], object]]] = {
    "bool": _to_bool,
    "str": _to_str,
    "log form": _to_log_form,
    "names": _to_names,
    "trust": trust_rule,
    "int": _to_int,
    "float": _to_float,
    "tuple[str, ...]": _to_strings(None),
    "tuple[tuple[str, str], ...]": _to_pairs,
    "tuple[tuple[str, Policy], ...]": policies_of,
}
#: What is accepted, for messages.
TYPE_WORDS: Final[Mapping[str, str]] = {
    "bool": "true or false",
    "str": "a string",
    "log form": "'off', 'text' or 'json'",
    "names": "names separated by commas",
    "trust": "'always', 'sampled-only', 'never' or networks like '10.0.0.0/8'",
    "int": "a whole number",
    "float": "a number",
    "tuple[str, ...]": "strings",
    "tuple[tuple[str, str], ...]": "key=value pairs separated by commas",
    "tuple[tuple[str, Policy], ...]": (
        'a table by route, for example {"/cart": {"exclude": ["spans"]}}'
    ),
}
