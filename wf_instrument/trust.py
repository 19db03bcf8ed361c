"""Whose trace headers are believed: the values of the setting `trust_incoming`."""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = ["ALWAYS", "NEVER", "SAMPLED_ONLY", "Network", "networks_of", "trust_rule"]

ALWAYS: Final = "always"
SAMPLED_ONLY: Final = "sampled-only"
NEVER: Final = "never"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WORDS: Final = {
    **dict.fromkeys(("always", "true", "yes", "on", "1"), ALWAYS),
    **dict.fromkeys(("never", "false", "no", "off", "0"), NEVER),
    SAMPLED_ONLY: SAMPLED_ONLY,
}


def trust_rule(value: object) -> str:
    """Return a value of the setting in its one spelling: a word, or networks between spaces.

    Raises:
        TypeError: The value is neither text, nor true or false, nor a list of texts.
        ValueError: It is neither a known word nor networks in CIDR notation.
    """
    if isinstance(value, bool):
        return ALWAYS if value else NEVER
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        value = " ".join(value)
    if not isinstance(value, str):
        raise TypeError(value)
    word = _WORDS.get(value.strip().lower())
    if word is not None:
        return word
    return " ".join(map(str, _parsed(value)))


def networks_of(rule: str) -> tuple[Network, ...]:
    """Return the networks of a rule; none for one that is a word."""
    return () if rule in _WORDS else _parsed(rule)


def _parsed(text: str) -> tuple[Network, ...]:
    # A host bit that is set is a slip of the hand, whose meaning is plain.
    networks = tuple(
        ipaddress.ip_network(part, strict=False) for part in text.replace(",", " ").split()
    )
    if not networks:
        raise ValueError(text)
    return networks
