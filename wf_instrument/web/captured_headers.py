"""Headers that settings allow on the span: by name, cleaned, cut, and without secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["REDACTED", "CapturedHeaders"]

REDACTED: Final = "[redacted]"

#: Names whose values nobody may see, whatever settings say.
_SECRET: Final = re.compile(
    "authoriz|x-auth|cookie|api-?key|csrf|xsrf|token|secret|passw|session|signature|credential"
)
#: Source: RFC 9110, section 5.6.2, "Tokens".
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_CHARACTERS: Final = 256

#: Without the prefix that other headers have in an environ.
#: Source: PEP 3333, "environ Variables".
_BARE: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})

Tags = tuple[tuple[str, str], ...]


class CapturedHeaders:
    """An allow-list of headers, and how they become span tags.

    Args:
        kind: `request` or `response`.
        names: The headers, in any case.

    Raises:
        ConfigError: One of them is no name of a header.
    """

    def __init__(self, kind: str, names: Iterable[str]) -> None:
        known = dict.fromkeys(name.lower() for name in names)
        for name in known:
            if not _TOKEN.fullmatch(name):
                raise ConfigError(
                    f"setting captured_{kind}_headers holds {name!r}; expected names of headers"
                )
        self._tags = {name: f"http.{kind}.header.{name}" for name in known}
        self._secret = frozenset(name for name in known if _SECRET.search(name))
        self._environ_keys = {name: _environ_key(name) for name in known}
        self._bytes = {name.encode("ascii"): name for name in known}

    def __bool__(self) -> bool:
        return bool(self._tags)

    def of_environ(self, environ: Mapping[str, Any]) -> Tags:
        """Return the tags of a WSGI request."""
        return tuple(
            self._tag(name, environ[key])
            for name, key in self._environ_keys.items()
            if environ.get(key)
        )

    def of_pairs(self, pairs: Iterable[tuple[Any, Any]]) -> Tags:
        """Return the tags of headers as bytes or text; of a repeated one, the values joined."""
        found: dict[str, str] = {}
        for raw, value in pairs:
            name = self._bytes.get(raw.lower()) if isinstance(raw, bytes) else raw.lower()
            if name in self._tags:
                text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                found[name] = f"{found[name]}, {text}" if name in found else text
        return tuple(self._tag(name, text) for name, text in found.items())

    def _tag(self, name: str, value: str) -> tuple[str, str]:
        if name in self._secret:
            return self._tags[name], REDACTED
        return self._tags[name], _CONTROL.sub(" ", str(value)[:_MAX_CHARACTERS])


def _environ_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in _BARE else f"HTTP_{key}"
