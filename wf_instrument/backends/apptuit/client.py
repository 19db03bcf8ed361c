"""The client of Apptuit's API: sends points and asks queries, in the caller's thread.

Threads: any.
Locks: `_lock` guards the count of skipped values.
Fork: the child has connections and a lock of its own.
Loss: what was not taken is raised; values that are no finite number are left out and counted.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, SupportsFloat
from urllib.parse import quote

from wf_instrument.backends.apptuit.environment import (
    APPTUIT_PY_TOKEN,
    tags_from_environment,
    token_from_environment,
)
from wf_instrument.backends.apptuit.exceptions import ApptuitConfigError, ApptuitException
from wf_instrument.backends.apptuit.names import sanitizer_of
from wf_instrument.backends.apptuit.posting import (
    PUT_PATH,
    Patience,
    Posting,
    call_patiently,
    user_agent,
)
from wf_instrument.backends.apptuit.query import read_answer
from wf_instrument.backends.apptuit.rows import RowMaker
from wf_instrument.errors import ConfigError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog
from wf_instrument.sender.http_client import HttpClient, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from wf_instrument.backends.apptuit.points import DataPoint, TimeSeries
    from wf_instrument.backends.apptuit.query import QueryResult

__all__ = ["BASE_SLEEP_TIME_SECS", "DEFAULT_ENDPOINT", "Apptuit"]

log = logging.getLogger(__name__)

#: Source: Apptuit's client for Python, README, "Working with Apptuit Client".
DEFAULT_ENDPOINT: Final = "https://api.apptuit.ai"
#: Seconds before a second try; they double.
BASE_SLEEP_TIME_SECS: Final = 2


class Apptuit:
    """Sends points to Apptuit, and asks for them.

    Args:
        token: The API token; that of the variable `APPTUIT_API_TOKEN` when there is none.
        api_endpoint: The address of the API.
        global_tags: Tags of all points, whose own win; those of the variable `APPTUIT_TAGS` when
            there are none.
        ignore_environ_tags: Whether that variable is not looked at.
        sanitize_mode: `prometheus` or `apptuit`, which make names fit, or None, which has those
            that do not fit refused.
        first_pause_s: Seconds before the second try of a call that may be tried again.
        ca_file: Certificates to trust, in place of the system's.
        allow_insecure: Whether the token may travel over plain HTTP to another machine.

    Attributes:
        token: The token.
        endpoint: The address, without a slash at its end.
        sanitizer: Makes names fit; None for none.
        skipped: How many values were no finite number, and so not sent.

    Raises:
        ApptuitConfigError: There is no token, or an argument or variable cannot be used; also a
            `ValueError`.
    """

    def __init__(
        self,
        token: str | None = None,
        api_endpoint: str = DEFAULT_ENDPOINT,
        global_tags: Mapping[str, Any] | None = None,
        ignore_environ_tags: bool = False,
        sanitize_mode: str | None = "prometheus",
        *,
        first_pause_s: float = BASE_SLEEP_TIME_SECS,
        ca_file: str | None = None,
        allow_insecure: bool = False,
    ) -> None:
        self.sanitizer: Callable[[str], str] | None = sanitizer_of(sanitize_mode)
        self.token = token or token_from_environment()
        if not self.token:
            raise ApptuitConfigError(
                f"Apptuit needs a token: pass token=, or set the variable {APPTUIT_PY_TOKEN}"
            )
        if not api_endpoint:
            raise ApptuitConfigError(
                f"api_endpoint is {api_endpoint!r}; give a URL, {DEFAULT_ENDPOINT} for example"
            )
        self.endpoint = api_endpoint.removesuffix("/")
        if not global_tags and not ignore_environ_tags:
            global_tags = tags_from_environment()
        self.rows = RowMaker(self.sanitizer, global_tags)
        try:
            self.http = HttpClient(
                self.endpoint, self.token, ca_file=ca_file, allow_insecure=allow_insecure
            )
        except ConfigError as exc:
            raise ApptuitConfigError(str(exc)) from None
        self.skipped = 0
        self._first_pause_s = first_pause_s
        self._log = RateLimitedLog(log)
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def __repr__(self) -> str:
        return f"Apptuit({self.endpoint!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def put_apiurl(self) -> str:
        """Where points are posted to."""
        return f"{self.endpoint}{PUT_PATH}"

    def send(
        self, datapoints: Iterable[DataPoint] | None, timeout: float = 60, retry_count: int = 0
    ) -> None:
        """Send points; none are sent unless all of them can be.

        Args:
            datapoints: Any number of points.
            timeout: Seconds of one request.
            retry_count: How often a request is made again after no answer, 408, 429 or 5xx.

        Raises:
            ApptuitDataError: A point has no tags, too many, or names that cannot be; also a
                `ValueError`.
            ApptuitSendException: Some or all points were not taken.
        """
        rows = [
            self.rows.series(point.metric, point.tags).at(point.timestamp, point.value)
            for point in datapoints or ()
        ]
        self.send_rows(self._kept(rows), timeout, retry_count)

    def send_timeseries(
        self,
        timeseries_list: Iterable[TimeSeries] | None,
        timeout: float = 60,
        retry_count: int = 0,
    ) -> None:
        """Send the points of series. Arguments and errors are those of `send`."""
        rows: list[str | None] = []
        for series in timeseries_list or ():
            if len(series):
                row = self.rows.series(series.metric, series.tags)
                points = zip(series.timestamps, series.values, strict=False)
                rows += [row.at(timestamp, value) for timestamp, value in points]
        self.send_rows(self._kept(rows), timeout, retry_count)

    def send_rows(
        self,
        rows: Sequence[str],
        timeout: float = 60,
        retry_count: int = 0,
        *,
        deadline: float | None = None,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """Send rows that `rows` made, at most 50,000 a request; a body too large is halved.

        Args:
            rows: The rows; without any there is no request.
            timeout: Seconds of one request.
            retry_count: As for `send`.
            deadline: Monotonic time by which all requests are to be over.
            wait: Waits between tries; True when there is no time for another.

        Raises:
            ApptuitSendException: Some or all were not taken.
        """
        patience = Patience(retry_count, self._first_pause_s, wait or self._closed.wait)
        Posting(self.http, timeout, patience, deadline).run(rows)

    def query(
        self,
        query_str: str,
        start: float,
        end: float | None = None,
        retry_count: int = 0,
        timeout: float = 180,
    ) -> QueryResult | None:
        """Ask for series.

        Args:
            query_str: The query, in Apptuit's language.
            start: Unix time in seconds of the first points wanted.
            end: That of the last, itself included; now when there is none.
            retry_count: As for `send`.
            timeout: Seconds of one request.

        Returns:
            What the query gives out; None when that is nothing.

        Raises:
            TypeError: `start` or `end` is no number.
            ApptuitException: There was no answer, or not one that can be read.
        """
        _check_time("start", start)
        _check_time("end", end or 0)
        path = f"/api/query?start={quote(str(start))}"
        if end:
            path += f"&end={quote(str(end))}"
        path += f"&q={quote(query_str, safe='')}"
        headers = {"User-Agent": user_agent()}
        try:
            answer = call_patiently(
                lambda: self.http.call("GET", path, headers, timeout),
                Patience(retry_count, self._first_pause_s, self._closed.wait),
            )
        except NoAnswerError as error:
            raise ApptuitException(f"query failed: {error}") from error
        if not 200 <= answer.status < 300:
            raise ApptuitException(f"query failed: {self.endpoint} answered {answer.status}")
        return read_answer(answer.body, start, end or None)

    def count_skipped(self, number: int) -> None:
        """Count values that are no finite number, and say so at most once a minute."""
        if number:
            with self._lock:
                self.skipped += number
            self._log.warning(
                "skipped", "Apptuit takes finite numbers only: %d values left out so far",
                self.skipped,
            )  # fmt: skip

    def close(self) -> None:
        """Close connections, and try nothing again any more."""
        self._closed.set()
        self.http.close()

    def _kept(self, rows: list[str | None]) -> list[str]:
        kept = [row for row in rows if row is not None]
        self.count_skipped(len(rows) - len(kept))
        return kept


def _check_time(name: str, value: object) -> None:
    if not isinstance(value, SupportsFloat):
        raise TypeError(f"{name} of a query is {value!r}; give Unix time in seconds")
