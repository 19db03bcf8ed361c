"""Policies: decorators, tables and defaults become one policy a route."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pytest

from wf_instrument.errors import ConfigError
from wf_instrument.policies import QUIET_ROUTES, Policy, PolicyTable, observe
from wf_instrument.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def view() -> str:
    return "ok"


def test_observe_returns_the_view_itself() -> None:
    def mine() -> str:
        return "ok"

    assert observe(slo_ms=200)(mine) is mine


def test_a_decorator_below_another_one_is_still_seen() -> None:
    @observe(slo_ms=200)
    def mine() -> str:
        return "ok"

    @functools.wraps(mine)
    def around() -> str:
        return mine()

    assert PolicyTable().policy_of("/", "GET", around).slo_ms == 200


def test_of_two_decorators_the_outer_one_wins_field_by_field() -> None:
    @observe(sample=0.5)
    @observe(sample=0.1, slo_ms=5)
    def mine() -> str:
        return "ok"

    assert PolicyTable().policy_of("/", "GET", mine) == Policy(sample=0.5, slo_ms=5)


def test_a_class_gives_its_methods_a_policy_that_they_override() -> None:
    @observe(slo_ms=100, sample=0.5)
    class Cart:
        def get(self) -> str:
            return "ok"

        @observe(slo_ms=500)
        def post(self) -> str:
            return "ok"

    table = PolicyTable()
    assert table.policy_of("/", "GET", Cart) == Policy(slo_ms=100, sample=0.5)
    assert table.policy_of("/", "POST", Cart) == Policy(slo_ms=500, sample=0.5)


def test_head_has_the_policy_of_get_unless_the_class_has_its_own() -> None:
    class Cart:
        @observe(slo_ms=100)
        def get(self) -> str:
            return "ok"

    class Heads(Cart):
        @observe(slo_ms=5)
        def head(self) -> str:
            return ""

    table = PolicyTable()
    assert table.policy_of("/", "HEAD", Cart) == Policy(slo_ms=100)
    assert table.policy_of("/", "HEAD", Heads) == Policy(slo_ms=5)


def test_a_partial_has_the_policy_of_its_function() -> None:
    @observe(slo_ms=100)
    def mine(number: int) -> int:
        return number

    assert PolicyTable().policy_of("/", "GET", functools.partial(mine, 1)).slo_ms == 100


def test_what_takes_no_attributes_cannot_be_decorated() -> None:
    with pytest.raises(ConfigError, match="observe cannot mark"):
        observe(slo_ms=1)(len)


@pytest.mark.parametrize(
    ("key", "method", "route", "applies"),
    [
        ("/cart", "GET", "/cart", True),
        ("/cart", "POST", "/cart", True),
        ("GET /cart", "GET", "/cart", True),
        ("get /cart", "GET", "/cart", True),
        ("GET /cart", "POST", "/cart", False),
        ("/cart/", "GET", "/cart", True),
        ("cart", "GET", "/cart/", True),
        ("/cart", "GET", "/cart/<int:id>", False),
        ("/", "GET", "/", True),
    ],
)
def test_a_row_is_about_a_template_or_about_a_method_of_it(
    key: str, method: str, route: str, applies: bool
) -> None:
    table = PolicyTable(((key, Policy(sample=0.5)),))
    assert (table.policy_of(route, method, None).sample == 0.5) is applies


def test_the_table_wins_over_the_decorator_and_a_method_over_the_route() -> None:
    @observe(slo_ms=1, sample=0.1, exclude={"logs"})
    def mine() -> str:
        return "ok"

    table = PolicyTable((("/cart", Policy(slo_ms=2, sample=0.2)), ("GET /cart", Policy(slo_ms=3))))
    assert table.policy_of("/cart", "GET", mine) == Policy(
        slo_ms=3, sample=0.2, exclude=frozenset({"logs"})
    )


def test_an_empty_exclude_takes_back_what_the_decorator_excludes() -> None:
    @observe(exclude="spans")
    def mine() -> str:
        return "ok"

    table = PolicyTable((("/cart", Policy(exclude=frozenset())),))
    assert not table.policy_of("/cart", "GET", mine).excludes("spans")


@pytest.mark.parametrize("route", ["/health", "/health/", "health", "/favicon.ico"])
def test_health_routes_are_quiet(route: str) -> None:
    assert PolicyTable((), QUIET_ROUTES).policy_of(route, "GET", None).is_quiet


def test_a_policy_about_its_spans_makes_a_health_route_loud() -> None:
    table = PolicyTable((("/health", Policy(sample=1.0)),), QUIET_ROUTES)
    assert not table.policy_of("/health", "GET", None).is_quiet
    slow = PolicyTable((("/health", Policy(slo_ms=5)),), QUIET_ROUTES)
    assert slow.policy_of("/health", "GET", None) == Policy(slo_ms=5, is_quiet=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"slo_ms": 0}, "milliseconds above 0"),
        ({"slo_ms": float("nan")}, "milliseconds above 0"),
        ({"slo_ms": "5"}, "milliseconds above 0"),
        ({"sample": 1.5}, "a share from 0 to 1"),
        ({"sample": True}, "a share from 0 to 1"),
        ({"exclude": ["span"]}, "any of logs, metrics, spans"),
        ({"exclude": [["spans"]]}, "any of logs, metrics, spans"),
        ({"exclude": 5}, "any of logs, metrics, spans"),
    ],
)
def test_a_value_that_does_not_fit_is_told(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        observe(**fields)
    with pytest.raises(ConfigError, match=f"'/cart'.*{words}"):
        load_settings({"policies": {"/cart": fields}}, {})


@pytest.mark.parametrize("place", ["argument", "environment", "file"])
def test_the_table_may_come_from_anywhere(place: str, folder: Path) -> None:
    arguments: dict[str, object] = {}
    environ = {}
    table = {"/health": {"exclude": ["spans"]}, "GET /cart": {"slo_ms": 200}}
    if place == "argument":
        arguments = {"policies": table}
    elif place == "environment":
        environ = {"WF_POLICIES": json.dumps(table)}
    else:
        (folder / "wf_instrument.toml").write_text(
            '[policies."/health"]\nexclude = ["spans"]\n[policies."GET /cart"]\nslo_ms = 200\n'
        )
    settings = load_settings(arguments, environ, folder)
    assert settings.policies == (
        ("/health", Policy(exclude=frozenset({"spans"}))),
        ("GET /cart", Policy(slo_ms=200)),
    )
    assert settings == Settings(policies=settings.policies)
    assert hash(settings) == hash(Settings(policies=settings.policies))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("{", "a table by route"),
        ("[1]", "a table by route"),
        (5, "a table by route"),
        ({"/cart": 5}, "known fields: exclude, sample, slo_ms"),
        ({"/cart": {"slo": 5}}, "known fields: exclude, sample, slo_ms"),
        ({"/cart": {}, "/cart/": {}}, "names the route '/cart/' twice"),
    ],
)
def test_a_table_that_is_none_is_told(table: object, words: str) -> None:
    with pytest.raises(ConfigError, match=f"argument 'policies'.*{words}"):
        load_settings({"policies": table}, {})
