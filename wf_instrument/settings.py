"""Every setting, in one table: the fields of `Settings`.

From the table are made the reader of arguments, environment and file, the command line's help
and the page of the documentation. Precedence: argument over environment over file over default.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from wf_instrument.errors import ConfigError
from wf_instrument.identity import ApplicationTags, Identity, default_source
from wf_instrument.policies import QUIET_ROUTES, Policy, PolicyTable, policies_of
from wf_instrument.settings_file import read_settings_file
from wf_instrument.trust import trust_rule

__all__ = ["DEFAULT_REPORTER", "SettingRow", "Settings", "load_settings", "setting_rows"]

#: Where figures go when nothing is configured: the embedded store of the user's state directory.
DEFAULT_REPORTER: Final = "local://"

_LOG_FORMS: Final = ("off", "text", "json")


def _row(
    default: object,
    variable: str,
    help_text: str,
    *,
    unit: str = "",
    minimum: float = -math.inf,
    maximum: float = math.inf,
    is_secret: bool = False,
    kind: str = "",
) -> Any:
    meta = {
        "variable": variable,
        "help": help_text,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "is_secret": is_secret,
        "kind": kind,
    }
    return field(default=default, metadata=meta, repr=not is_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, resolved and checked; immutable. Text is read as in the environment.

    Raises:
        ConfigError: A value does not fit.
    """

    enabled: bool = _row(True, "WF_ENABLED", "Instrument at all; off leaves apps untouched.")
    application: str = _row("default", "WF_APPLICATION", "Name of the application.")
    service: str = _row("default", "WF_SERVICE", "Name of the service, one program of it.")
    cluster: str = _row("", "WF_CLUSTER", "Cluster it runs in, for example a region.")
    shard: str = _row("", "WF_SHARD", "Shard of the cluster, for example `primary`.")
    custom_tags: tuple[tuple[str, str], ...] = _row(
        (), "WF_CUSTOM_TAGS", "Further tags of everything reported, `key=value,key=value`."
    )
    source: str = _row("", "WF_SOURCE", "Who reports; the host's name when empty.")
    reporter: tuple[str, ...] = _row(
        (),
        "WF_REPORTER",
        "Reporter URLs, separated by white space; `local://` when empty.",
        is_secret=True,  # a URL may hold a token
    )
    tick_s: float = _row(
        1.0, "WF_TICK", "Time between two drains.", unit="s", minimum=0.05, maximum=60
    )
    metrics: bool = _row(True, "WF_METRICS", "Record request metrics.")
    spans: bool = _row(True, "WF_SPANS", "Record a server span per request.")
    red_metrics: bool = _row(
        False,
        "WF_RED_METRICS",
        "Derive rate, errors and durations from every span, `tracing.derived.*`.",
    )
    runtime_metrics: bool = _row(
        False,
        "WF_RUNTIME_METRICS",
        "Report CPU, memory, threads, collections and descriptors of the process.",
    )
    sample_rate: float = _row(
        1.0, "WF_SAMPLE_RATE", "Share of new traces whose spans are kept.", minimum=0, maximum=1
    )
    trust_incoming: str = _row(
        "always",
        "WF_TRUST_INCOMING",
        "Whose traces are continued: `always`, `sampled-only`, `never`, or networks of peers.",
        kind="trust",
    )
    max_forced_spans_per_second: int = _row(
        100,
        "WF_MAX_FORCED_SPANS",
        "Spans a second that callers can have kept in spite of `sample_rate`.",
        minimum=0,
        maximum=100_000,
    )
    extract: tuple[str, ...] = _row(
        ("w3c", "wavefront", "jaeger", "b3"),
        "WF_EXTRACT",
        "Headers that a caller's trace is read from, in this order, white space between them.",
    )
    inject: tuple[str, ...] = _row(
        ("w3c", "wavefront"),
        "WF_INJECT",
        "Headers that a trace is handed on in: `w3c`, `wavefront`, `jaeger`, `b3`, `b3multi`.",
    )
    excluded_urls: tuple[str, ...] = _row(
        (),
        "WF_EXCLUDED_URLS",
        "Regular expressions, white space between them; a path matching one leaves no trace.",
    )
    policies: tuple[tuple[str, Policy], ...] = _row(
        (),
        "WF_POLICIES",
        "What is recorded of single routes, a table by template; in the environment as JSON.",
    )
    quiet_routes: tuple[str, ...] = _row(
        QUIET_ROUTES,
        "WF_QUIET_ROUTES",
        "Templates of which only failures leave a span, white space between them.",
    )
    error_statuses: str = _row(
        "500-599",
        "WF_ERROR_STATUSES",
        "Statuses that mark the span as failed, for example `404,500-599`.",
    )
    url_query: bool = _row(
        False, "WF_URL_QUERY", "Keep the query string in the span's `http.url`; may hold secrets."
    )
    captured_request_headers: tuple[str, ...] = _row(
        (), "WF_CAPTURED_REQUEST_HEADERS", "Request headers that become tags of the span."
    )
    captured_response_headers: tuple[str, ...] = _row(
        (), "WF_CAPTURED_RESPONSE_HEADERS", "Response headers that become tags of the span."
    )
    server_timing: bool = _row(
        False, "WF_SERVER_TIMING", "Tell callers the time to first byte, in `Server-Timing`."
    )
    trace_response: bool = _row(
        False, "WF_TRACE_RESPONSE", "Tell callers the ids of the span, in `traceresponse`."
    )
    log_line: str = _row(
        "off",
        "WF_LOG_LINE",
        "A line a request through `wf_instrument.access`: `text` or `json`.",
        kind="log form",
    )
    loop_block_threshold_ms: float = _row(
        100.0,
        "WF_LOOP_BLOCK_THRESHOLD",
        "A request that holds the event loop longer in one step is named by `loop.blocked`.",
        unit="ms",
        minimum=1,
        maximum=3_600_000,
    )
    max_series: int = _row(
        10_000,
        "WF_MAX_SERIES",
        "Routes and methods told apart; further ones share `_OVERFLOW_`.",
        minimum=1,
        maximum=1_000_000,
    )
    max_dimension_values: int = _row(
        100,
        "WF_MAX_DIMENSION_VALUES",
        "Combinations of `set_dimension` values told apart in a route; further are `_OVERFLOW_`.",
        minimum=0,
        maximum=1_000_000,
    )
    max_buffered_spans: int = _row(
        10_000,
        "WF_MAX_BUFFERED_SPANS",
        "Finished spans waiting for the next drain; further ones are dropped and counted.",
        minimum=1,
        maximum=1_000_000,
    )
    fold_after: int = _row(
        2_000,
        "WF_FOLD_AFTER",
        "Requests of one series that wait for a drain before one is made early.",
        minimum=1,
        maximum=1_000_000,
    )
    spool_dir: str = _row(
        "",
        "WF_SPOOL_DIR",
        "Folder where remote reporters keep what they cannot deliver; in memory alone when empty.",
    )
    ca_file: str = _row(
        "", "WF_CA_FILE", "Certificates that remote reporters trust; the system's when empty."
    )
    shutdown_timeout_s: float = _row(
        5.0,
        "WF_SHUTDOWN_TIMEOUT",
        "Time the process may take at its end to deliver what is queued.",
        unit="s",
        minimum=0,
        maximum=300,
    )

    def __post_init__(self) -> None:
        for row in setting_rows():
            value = _convert(row, getattr(self, row.name), f"setting {row.name!r}")
            _check_range(row, value)
            object.__setattr__(self, row.name, value)  # frozen for everybody else
        self.error_status_ranges()
        self.excluded_pattern()

    def identity(self) -> Identity:
        """Return who this process is, as these settings say."""
        tags = ApplicationTags(
            self.application,
            self.service,
            self.cluster or None,
            self.shard or None,
            list(self.custom_tags),
        )
        return Identity(tags, self.source or default_source())

    def policy_table(self) -> PolicyTable:
        """Return `policies` and `quiet_routes` as what tells the policy of a route."""
        return PolicyTable(self.policies, self.quiet_routes)

    def error_status_ranges(self) -> tuple[range, ...]:
        """Return `error_statuses` as ranges.

        Raises:
            ConfigError: It is not a list of statuses and ranges of statuses.
        """
        ranges = []
        for part in self.error_statuses.replace(" ", "").split(","):
            match = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", part)
            if match is None:
                raise ConfigError(
                    f"setting error_statuses (WF_ERROR_STATUSES) is {self.error_statuses!r}; "
                    "write statuses and ranges separated by commas, for example '404,500-599'"
                )
            first, last = match.group(1), match.group(2) or match.group(1)
            ranges.append(range(int(first), int(last) + 1))
        return tuple(ranges)

    def excluded_pattern(self) -> re.Pattern[str] | None:
        """Return one pattern for all of `excluded_urls`, None when nothing is excluded.

        Raises:
            ConfigError: One of them is no regular expression.
        """
        for text in self.excluded_urls:
            try:
                re.compile(text)
            except re.error as exc:
                raise ConfigError(
                    f"setting excluded_urls (WF_EXCLUDED_URLS) holds {text!r}, "
                    f"which is no regular expression: {exc}"
                ) from exc
        if not self.excluded_urls:
            return None
        return re.compile("|".join(f"(?:{text})" for text in self.excluded_urls))


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One row of the table: a setting's name, variable, type, default, range and help.

    The value of one that `is_secret` is never shown.
    """

    name: str
    variable: str
    type_name: str
    default: object
    unit: str
    minimum: float
    maximum: float
    help: str
    is_secret: bool = False


def setting_rows() -> list[SettingRow]:
    """Return the table, in the order of the fields."""
    return [
        SettingRow(
            name=item.name,
            variable=item.metadata["variable"],
            type_name=item.metadata["kind"] or str(item.type),
            default=item.default,
            unit=item.metadata["unit"],
            minimum=item.metadata["minimum"],
            maximum=item.metadata["maximum"],
            help=item.metadata["help"],
            is_secret=item.metadata["is_secret"],
        )
        for item in dataclasses.fields(Settings)
    ]


def load_settings(
    arguments: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Resolve all settings.

    Args:
        arguments: Settings given in code, by name; None as a value means not given.
        environ: The environment; `os.environ` by default.
        folder: Where `wf_instrument.toml` or `pyproject.toml` is looked for; the current folder
            by default.

    Raises:
        ConfigError: A name is unknown or a value does not fit; says where it came from.
    """
    rows = {row.name: row for row in setting_rows()}
    values: dict[str, object] = {}
    file_path, table = read_settings_file(folder or Path())
    for name, value in table.items():
        where = f"{file_path}, setting {name!r}"
        values[name] = _convert(_known(rows, name, where), value, where)
    env = os.environ if environ is None else environ
    for row in rows.values():
        text = env.get(row.variable, "").strip()
        if text:
            where = f"environment variable {row.variable}"
            values[row.name] = _convert(row, text, where)
    for name, value in (arguments or {}).items():
        where = f"argument {name!r}"
        row = _known(rows, name, where)
        if value is not None:
            values[name] = _convert(row, value, where)
    return Settings(**values)  # type: ignore[arg-type]  # _convert made each value fit its field


def _known(rows: Mapping[str, SettingRow], name: str, where: str) -> SettingRow:
    if name not in rows:
        raise ConfigError(f"{where}: no such setting; known: {', '.join(rows)}")
    return rows[name]


def _convert(row: SettingRow, value: object, where: str) -> object:
    converter = _CONVERTERS[row.type_name]
    try:
        return converter(value)
    except ConfigError as exc:  # says already what was wrong in which row
        raise ConfigError(f"{where}: {exc}") from None
    except (TypeError, ValueError):
        shown = "not shown" if row.is_secret else repr(value)
        # Not `from exc`, which would show the value of a secret.
        raise ConfigError(f"{where} is {shown}; expected {_expected(row)}") from None


def _check_range(row: SettingRow, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not row.minimum <= value <= row.maximum:  # false for NaN too
        raise ConfigError(
            f"setting {row.name} ({row.variable}) is {value!r}; expected {_expected(row)}"
        )


def _expected(row: SettingRow) -> str:
    words = _TYPE_WORDS[row.type_name]
    if row.minimum > -math.inf:
        words += f" from {row.minimum:g} to {row.maximum:g}"
    return f"{words} {row.unit}".strip()


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


_CONVERTERS: Final[Mapping[str, Callable[[object], object]]] = {
    "bool": _to_bool,
    "str": _to_str,
    "log form": _to_log_form,
    "trust": trust_rule,
    "int": _to_int,
    "float": _to_float,
    "tuple[str, ...]": _to_strings(None),
    "tuple[tuple[str, str], ...]": _to_pairs,
    "tuple[tuple[str, Policy], ...]": policies_of,
}
_TYPE_WORDS: Final[Mapping[str, str]] = {
    "bool": "true or false",
    "str": "a string",
    "log form": "'off', 'text' or 'json'",
    "trust": "'always', 'sampled-only', 'never' or networks like '10.0.0.0/8'",
    "int": "a whole number",
    "float": "a number",
    "tuple[str, ...]": "strings",
    "tuple[tuple[str, str], ...]": "key=value pairs separated by commas",
    "tuple[tuple[str, Policy], ...]": (
        'a table by route, for example {"/cart": {"exclude": ["spans"]}}'
    ),
}
