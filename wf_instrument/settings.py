"""Every setting, in one table: the fields of `Settings`.

From the table are made the reader of arguments, environment and file, the command line's help
and the page of the documentation. Precedence: argument over environment over file over what
OpenTelemetry's variables say over default.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wf_instrument.errors import ConfigError
from wf_instrument.identity import ApplicationTags, Identity, default_source
from wf_instrument.nearest_name import nearest
from wf_instrument.policies import QUIET_ROUTES, Policy, PolicyTable
from wf_instrument.settings_file import read_settings_file
from wf_instrument.settings_otel import otel_settings
from wf_instrument.settings_values import CONVERTERS, TYPE_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["DEFAULT_REPORTER", "SettingRow", "Settings", "load_settings", "setting_rows"]

#: Where figures go when nothing is configured: the embedded store of the user's state directory.
DEFAULT_REPORTER: Final = "local://"


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
    disabled: tuple[str, ...] = _row(
        (),
        "WF_DISABLED",
        "Integrations that `wf-instrument run` leaves out, `django,logging` for example.",
        kind="names",
    )
    compat: bool = _row(
        False,
        "WF_COMPAT",
        "`wf-instrument run` gives this library to programs that import the Wavefront SDKs.",
    )
    log_ids: bool = _row(
        False,
        "WF_LOG_IDS",
        "`wf-instrument run` puts `trace_id`, `span_id` and `route` on every log record.",
    )
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
    propagate_hosts: tuple[str, ...] = _row(
        ("*",),
        "WF_PROPAGATE_HOSTS",
        "Hosts that trace ids go out to, `*.example.org` for example, white space between them.",
    )
    baggage_hosts: tuple[str, ...] = _row(
        (), "WF_BAGGAGE_HOSTS", "Hosts that baggage goes out to, too, white space between them."
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


class SettingRow(NamedTuple):
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
    *,
    on_problem: Callable[[ConfigError], object] | None = None,
) -> Settings:
    """Resolve all settings.

    Args:
        arguments: Settings given in code, by name; None as a value means not given.
        environ: The environment; `os.environ` by default.
        folder: Where `wf_instrument.toml` or `pyproject.toml` is looked for; the current folder
            by default.
        on_problem: Told of what is wrong in environment and file, which then counts as not given.
            By default it is raised.

    Raises:
        ConfigError: A name is unknown or a value does not fit; says where it came from.
    """
    rows = {row.name: row for row in setting_rows()}
    tell = on_problem or _refuse
    values: dict[str, object] = {}
    for where, row, value in _configured(rows, environ, folder, tell):
        try:
            values[row.name] = _checked(row, value, where)
        except ConfigError as problem:
            tell(problem)
    for name, value in (arguments or {}).items():
        where = f"argument {name!r}"
        row = _known(rows, name, where)
        if value is not None:
            values[name] = _convert(row, value, where)
    return Settings(**values)  # type: ignore[arg-type]  # _convert made each value fit its field


def _configured(
    rows: Mapping[str, SettingRow],
    environ: Mapping[str, str] | None,
    folder: Path | None,
    tell: Callable[[ConfigError], object],
) -> Iterator[tuple[str, SettingRow, object]]:
    """Yield what is configured outside of the code, what counts least first, and where."""
    env = os.environ if environ is None else environ
    for name, where, text in otel_settings(env):
        yield where, rows[name], text
    try:
        file_path, table = read_settings_file(folder or Path())
    except ConfigError as problem:
        tell(problem)
    else:
        for name, value in table.items():
            where = f"{file_path}, setting {name!r}"
            try:
                row = _known(rows, name, where)
            except ConfigError as problem:
                tell(problem)
            else:
                yield where, row, value
    for row in rows.values():
        text = env.get(row.variable, "").strip()
        if text:
            yield f"environment variable {row.variable}", row, text


def _refuse(problem: ConfigError) -> None:
    raise problem


def _checked(row: SettingRow, value: object, where: str) -> object:
    """Return the value as a field has it, if settings with it alone can be made."""
    converted = _convert(row, value, where)
    Settings(**{row.name: converted})  # type: ignore[arg-type]  # as in `load_settings`
    return converted


def _known(rows: Mapping[str, SettingRow], name: str, where: str) -> SettingRow:
    if name not in rows:
        raise ConfigError(f"{where}: no such setting; {nearest(name, rows)}")
    return rows[name]


def _convert(row: SettingRow, value: object, where: str) -> object:
    converter = CONVERTERS[row.type_name]
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
    words = TYPE_WORDS[row.type_name]
    if row.minimum > -math.inf:
        words += f" from {row.minimum:g} to {row.maximum:g}"
    return f"{words} {row.unit}".strip()
