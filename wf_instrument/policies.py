"""What is recorded of a route: a decorator on its view, a table in the settings, and defaults."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from wf_instrument.errors import ConfigError

__all__ = [
    "EXCLUDABLE",
    "QUIET_ROUTES",
    "Policies",
    "Policy",
    "PolicyTable",
    "observe",
    "policies_of",
]

#: What can be left out of a route's telemetry.
EXCLUDABLE: Final = frozenset({"metrics", "spans", "logs"})

#: Routes that machines ask all the time, and nobody looks for in a list of traces.
QUIET_ROUTES: Final = (
    "/health",
    "/healthz",
    "/ready",
    "/readyz",
    "/live",
    "/livez",
    "/ping",
    "/metrics",
    "/favicon.ico",
)

_ATTRIBUTE: Final = "__wf_instrument_policy__"

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is wanted of a route; None leaves a field to whoever else has a say.

    Attributes:
        slo_ms: A request that takes longer is not a good one.
        sample: Share of the route's new traces whose server span is kept.
        exclude: What is left out: any of `metrics`, `spans`, `logs`.
        is_quiet: Whether only failures leave a span.

    Raises:
        ConfigError: A field is out of range.
    """

    slo_ms: float | None = None
    sample: float | None = None
    exclude: frozenset[str] | None = None
    is_quiet: bool = False

    def __post_init__(self) -> None:
        slo, sample = self.slo_ms, self.sample
        if slo is not None and not (_is_number(slo) and 0 < slo < math.inf):
            raise ConfigError(f"slo_ms of a policy is {slo!r}; write milliseconds above 0")
        if sample is not None and not (_is_number(sample) and 0 <= sample <= 1):
            raise ConfigError(f"sample of a policy is {sample!r}; write a share from 0 to 1")
        if self.exclude is not None:
            object.__setattr__(self, "exclude", _excluded(self.exclude))

    @property
    def slo_ns(self) -> int | None:
        """`slo_ms` in nanoseconds."""
        return None if self.slo_ms is None else round(self.slo_ms * 1e6)

    def excludes(self, what: str) -> bool:
        """Return whether `metrics`, `spans` or `logs` are left out."""
        return self.exclude is not None and what in self.exclude

    def over(self, other: Policy) -> Policy:
        """Return this policy, its open fields filled from another one."""
        return Policy(
            slo_ms=other.slo_ms if self.slo_ms is None else self.slo_ms,
            sample=other.sample if self.sample is None else self.sample,
            exclude=other.exclude if self.exclude is None else self.exclude,
            is_quiet=self.is_quiet or other.is_quiet,
        )


#: A table of policies as settings hold it: by template, or by method and template.
Policies = tuple[tuple[str, Policy], ...]


def observe(
    *,
    slo_ms: float | None = None,
    sample: float | None = None,
    exclude: Iterable[str] | None = None,
) -> Callable[[_Endpoint], _Endpoint]:
    """Decorate a view, function or class, with what is to be recorded of its route.

    The view is returned as it is, with one attribute more. The setting `policies` overrides what
    is given here, field by field.

    Args:
        slo_ms: Requests that fail or take longer do not count in `slo.good.count`.
        sample: Share of the route's new traces whose server span is kept; failures always are.
        exclude: What to leave out: any of `metrics`, `spans`, `logs`.

    Raises:
        ConfigError: A value does not fit, or what is decorated takes no attributes.
    """
    given = Policy(
        slo_ms=slo_ms, sample=sample, exclude=None if exclude is None else _excluded(exclude)
    )

    def decorate(view: _Endpoint) -> _Endpoint:
        known = getattr(view, _ATTRIBUTE, None)
        try:
            setattr(view, _ATTRIBUTE, given.over(known) if isinstance(known, Policy) else given)
        except (AttributeError, TypeError) as exc:
            raise ConfigError(
                f"observe cannot mark {view!r}; decorate the function or class itself"
            ) from exc
        return view

    return decorate


class PolicyTable:
    """Tells the policy of a route, from settings, decorators and defaults.

    Args:
        policies: The table of the settings.
        quiet_routes: Templates that are quiet unless a policy says what to do with their spans.

    Attributes:
        quiet_paths: The same as paths, for requests that no route tells.

    Raises:
        ConfigError: Two rows are about the same route.
    """

    def __init__(self, policies: Policies = (), quiet_routes: Iterable[str] = ()) -> None:
        self._rows: dict[tuple[str, str], Policy] = {}
        for key, policy in policies:
            row = _row_of(key)
            if row in self._rows:
                raise ConfigError(f"setting policies names the route {key!r} twice")
            self._rows[row] = policy
        self._quiet = frozenset(map(_bare, quiet_routes))
        self.quiet_paths = frozenset(f"/{route}" for route in self._quiet)

    def policy_of(self, route: str | None, method: str, endpoint: object) -> Policy:
        """Return the policy of a route and method, whose view is `endpoint` or None."""
        found = _decorated(endpoint, method.lower())
        if route is None:
            return found
        bare = _bare(route)
        for row in (("", bare), (method, bare)):
            if row in self._rows:
                found = self._rows[row].over(found)
        if bare in self._quiet and found.sample is None and found.exclude is None:
            return Policy(is_quiet=True).over(found)
        return found


def policies_of(value: object) -> Policies:
    """Return a table given as mapping, as pairs or as the JSON text of an object.

    Raises:
        ConfigError: A row is no policy; the message names the row.
        TypeError: It is no table.
        ValueError: It is no JSON.
    """
    if isinstance(value, str):
        import json  # only who has such a text pays for it

        value = json.loads(value)
    if isinstance(value, tuple | list):
        value = dict(value)
    if not isinstance(value, Mapping):
        raise TypeError(value)
    table = tuple((str(route), _policy_in(route, row)) for route, row in value.items())
    PolicyTable(table)
    return table


def _policy_in(route: object, row: object) -> Policy:
    if isinstance(row, Policy):
        return row
    known = {"slo_ms", "sample", "exclude"}
    if not isinstance(row, Mapping) or not known.issuperset(row):
        raise ConfigError(
            f"policy of the route {route!r} is {row!r}; known fields: {', '.join(sorted(known))}"
        )
    try:
        return Policy(**row)
    except ConfigError as exc:
        raise ConfigError(f"route {route!r}: {exc}") from exc


def _decorated(endpoint: object, method: str) -> Policy:
    """Return what decorators say: of a class, of its method, of the function; the last wins."""
    while isinstance(endpoint, functools.partial) and not hasattr(endpoint, _ATTRIBUTE):
        endpoint = endpoint.func
    kind = endpoint if isinstance(endpoint, type) else _class_of(endpoint)
    # Frameworks answer it so, too.
    by = "get" if method == "head" and not hasattr(kind, method) else method
    found = Policy()
    for marked in (kind, getattr(kind, by, None), None if kind is endpoint else endpoint):
        one = getattr(marked, _ATTRIBUTE, None)
        if isinstance(one, Policy):
            found = one.over(found)
    return found


def _class_of(view: object) -> type | None:
    """Return the class of a view made of one; `cls` is Django REST framework's word."""
    named = (getattr(view, name, None) for name in ("view_class", "cls"))
    return next((kind for kind in named if isinstance(kind, type)), None)


def _excluded(names: object) -> frozenset[str]:
    given = [names] if isinstance(names, str) else names
    every = list(given) if isinstance(given, Iterable) else [None]
    # One by one: what cannot be hashed is no name either.
    found = [name for name in every if isinstance(name, str) and name in EXCLUDABLE]
    if len(found) < len(every):
        raise ConfigError(
            f"exclude of a policy is {names!r}; write any of {', '.join(sorted(EXCLUDABLE))}"
        )
    return frozenset(found)


def _row_of(key: str) -> tuple[str, str]:
    """Return method and bare template of `GET /cart` or `/cart`; no method means any."""
    method, _, route = key.strip().partition(" ")
    if route and method.isalpha():
        return method.upper(), _bare(route)
    return "", _bare(key)


def _bare(route: str) -> str:
    # Frameworks differ in leading slashes, and so do people in trailing ones.
    return route.strip().strip("/")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
