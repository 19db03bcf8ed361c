"""Reporter URLs: parsing, and finding the reporter that answers to a scheme.

Built-in reporters are found the way a third party's are: by the entry-point group
`wf_instrument.reporters`, whose names are schemes and whose objects are `ReporterFactory`s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from wf_instrument.errors import ConfigError, MissingExtraError, UnknownReporterError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from wf_instrument.identity import Identity
    from wf_instrument.reporting.reporter import Reporter, ReporterFactory
    from wf_instrument.settings import Settings

__all__ = ["ENTRY_POINT_GROUP", "ReporterUrl", "known_schemes", "make_reporter"]

ENTRY_POINT_GROUP: Final = "wf_instrument.reporters"

#: The distribution whose reporters are built in.
_OURS: Final = "wf-instrument"

#: Schemes whose backend comes with an extra, for the message when it is not installed.
_EXTRAS: Final = {
    "signalfx": "signalfx",
    "apptuit": "apptuit",
    "otlp": "otlp",
    "otlp+https": "otlp",
    "prometheus": "prometheus",
}


#: Characters that stand for themselves in a path, beside letters and digits.
#: Source: RFC 3986, section 3.3, `pchar`.
_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=-._~"

#: Seconds that may lie between two reports.
_INTERVAL_S: Final = (0.1, 86400.0)


@dataclass(frozen=True, slots=True)
class ReporterUrl:
    """A parsed reporter URL. `str()` and `repr()` leave out user, password and query.

    Attributes:
        scheme: Lower case.
        host: Host name or address, without brackets; empty when absent.
        port: Port, or None.
        user: Percent-decoded user-info before the colon (often the token); empty when absent.
        password: Percent-decoded user-info after the colon; empty when absent.
        path: Percent-decoded, with its leading slash; empty when absent.
        query: Query parameters; of a repeated one the last.
    """

    scheme: str
    host: str = ""
    port: int | None = None
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    path: str = ""
    query: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> ReporterUrl:
        """Read a reporter URL.

        Raises:
            ConfigError: It has no scheme, a port that is no port, or a token that is cut in two
                by a character that ends a URL's host.
        """
        try:
            parts = urlsplit(text.strip())
        except ValueError:  # an unclosed bracket; what it says may show all of the URL
            raise ConfigError(
                f"reporter URL {_redacted(text)!r} cannot be read; write SCHEME://HOST:PORT"
            ) from None
        if not parts.scheme or "://" not in text:
            raise ConfigError(
                f"reporter URL {_redacted(text)!r} has no scheme; "
                f"write SCHEME://..., with one of {', '.join(known_schemes())}"
            )
        if parts.fragment or (parts.netloc and "@" in parts.path and "@" not in parts.netloc):
            # What stands before that character would be taken for the host, and shown.
            raise ConfigError(
                f"reporter URL {parts.scheme}://... has a '#', or a '/' in its token; "
                "write '#' as %23, '/' as %2F, '?' as %3F"
            )
        try:
            port = parts.port
        except ValueError as exc:
            raise ConfigError(
                f"reporter URL {_redacted(text)!r} has a port that is no number from 0 to 65535"
            ) from exc
        return cls(
            scheme=parts.scheme.lower(),
            host=parts.hostname or "",
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        # A line break in a path would make two lines of a message.
        return f"{self.scheme}://{host}{port}{quote(self.path, safe=_PATH_CHARACTERS)}"

    def number(
        self, name: str, default: float, *, minimum: float = 0.0, maximum: float = math.inf
    ) -> float:
        """Read a query parameter as a number within bounds, `default` when absent.

        Raises:
            ConfigError: It is no number or out of bounds.
        """
        text = self.query.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum or math.isinf(value):
            limit = (
                f"from {minimum:g} to {maximum:g}"
                if maximum < math.inf
                else (f"of at least {minimum:g}")
            )
            raise ConfigError(
                f"reporter URL {self}: parameter {name}={text!r} should be a number {limit}"
            )
        return value

    def flag(self, name: str) -> bool:
        """Read a query parameter as true or false; false when absent.

        Raises:
            ConfigError: It is neither.
        """
        text = self.query.get(name, "false").lower()
        if text not in {"true", "false", "1", "0", ""}:
            raise ConfigError(f"reporter URL {self}: parameter {name} should be true or false")
        return text in {"true", "1", ""}  # `?flag` alone sets it

    def check_query(self, *known: str) -> None:
        """Refuse parameters that no one reads, so that a misspelt one is noticed.

        Raises:
            ConfigError: There is a parameter that is neither in `known` nor `interval`.
        """
        strange = sorted(set(self.query) - set(known) - {"interval"})
        if strange:
            accepted = ", ".join(sorted({*known, "interval"}))
            raise ConfigError(
                f"reporter URL {self}: unknown parameter {strange[0]!r}; accepted: {accepted}"
            )


def known_schemes() -> list[str]:
    """Return the schemes of all installed reporters, sorted."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def make_reporter(
    text: str, identity: Identity, settings: Settings
) -> tuple[ReporterUrl, Reporter, float]:
    """Make the reporter that a URL names.

    Returns:
        The parsed URL, the reporter and the seconds between two reports.

    Raises:
        UnknownReporterError: No installed reporter answers to the scheme.
        MissingExtraError: The reporter's own dependencies are not installed.
        ConfigError: The reporter refuses the URL, or its package is broken.
    """
    url = ReporterUrl.parse(text)
    point = _found(url.scheme)
    if point is None:
        raise UnknownReporterError(_unknown(url))
    shortest_s, longest_s = _INTERVAL_S
    # Before the reporter is made, which may open what nobody would close.
    asked_s = url.number("interval", math.nan, minimum=shortest_s, maximum=longest_s)
    reporter = _load(point, url)(url, identity, settings)
    return url, reporter, reporter.default_interval_s if math.isnan(asked_s) else asked_s


def _found(scheme: str) -> EntryPoint | None:
    """Return the entry point of a scheme, a built-in one before a third party's."""
    group = ENTRY_POINT_GROUP
    try:
        built_in = distribution(_OURS).entry_points.select(group=group, name=scheme)
    except PackageNotFoundError:  # bundled with an application, without its metadata
        built_in = None
    # Only then all: that reads a file of each installed distribution, in each process of a server.
    return next(iter(built_in or entry_points(group=group, name=scheme)), None)


def _load(point: EntryPoint, url: ReporterUrl) -> ReporterFactory:
    try:
        return cast("ReporterFactory", point.load())
    except ModuleNotFoundError as exc:
        extra = _EXTRAS.get(url.scheme)
        package = f"'wf-instrument[{extra}]'" if extra else (exc.name or "").partition(".")[0]
        raise MissingExtraError(
            f"reporter {url} needs the package {exc.name!r}, which is not installed; "
            f"run: pip install {package}",
            name=exc.name,
        ) from exc
    except (ImportError, AttributeError) as exc:
        raise ConfigError(
            f"reporter {url} cannot be loaded from {point.value!r}: {exc}; "
            "reinstall the package that offers it"
        ) from exc


def _unknown(url: ReporterUrl) -> str:
    message = (
        f"no reporter for the scheme {url.scheme!r} of {url}; known: {', '.join(known_schemes())}"
    )
    extra = _EXTRAS.get(url.scheme)
    return f"{message}; pip install 'wf-instrument[{extra}]' may bring it" if extra else message


def _redacted(text: str) -> str:
    """Cut user-info and query, where secrets live, from what may be no URL at all."""
    return text.split("?")[0].rpartition("@")[2][:100]
