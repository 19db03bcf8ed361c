"""Posting rows and asking queries: tries, pauses, and what the answers mean.

Threads: any; nothing is kept between calls.
"""

from __future__ import annotations

import json
import platform
import time
import zlib
from collections import deque
from typing import TYPE_CHECKING, Final

from wf_instrument._version import __version__
from wf_instrument.backends.apptuit.exceptions import ApptuitSendException
from wf_instrument.backends.apptuit.rows import body_of
from wf_instrument.sender.http_client import HttpAnswer, HttpClient, NoAnswerError
from wf_instrument.sender.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "MAX_POINTS",
    "PUT_PATH",
    "PartialFailure",
    "Patience",
    "Posting",
    "call_patiently",
    "partial_failure",
    "post_once",
    "put_headers",
    "user_agent",
]

#: Source: Apptuit's client for Python, `/api/put`; `sync` must not be sent.
PUT_PATH: Final = "/api/put?details"
#: Of one request. Source: Apptuit's client for Python, README, "send_timeseries() API".
MAX_POINTS: Final = 50_000
_LONGEST_PAUSE_S: Final = 30.0
#: A receiver that asks for more is asked again earlier: somebody waits for the call.
_LONGEST_RETRY_AFTER_S: Final = 60.0
_ABOUT_RECEIVER: Final = frozenset({408, 429})
_MEBIBYTE: Final = 1024 * 1024


class Patience:
    """How often and after what pauses a call is tried again.

    Args:
        retry_count: Further tries.
        first_pause_s: Seconds before the first of them; doubles up to half a minute.
        wait: Waits so many seconds; True when there is no time for another try.
    """

    def __init__(
        self, retry_count: int, first_pause_s: float, wait: Callable[[float], bool]
    ) -> None:
        self.retry_count = retry_count
        self.first_pause_s = first_pause_s
        self.wait = wait


class PartialFailure:
    """What an answer of 400 says of single points."""

    __slots__ = ("errors", "failed", "success")

    def __init__(self, success: int, failed: int, errors: list[object]) -> None:
        self.success = success
        self.failed = failed
        self.errors = errors


def user_agent() -> str:
    """Return who calls."""
    return f"wf-instrument-{__version__}, Py-{platform.python_version()}"


def post_once(http: HttpClient, rows: Sequence[str], timeout_s: float) -> HttpAnswer:
    """Post rows in one request, and return the answer.

    Raises:
        NoAnswerError: There was none.
    """
    return http.call("POST", PUT_PATH, put_headers(), timeout_s, body=zlib.compress(body_of(rows)))


def put_headers() -> dict[str, str]:
    """Return the headers of a post, without the token."""
    return {
        "Content-Type": "application/json",
        "Content-Encoding": "deflate",
        "User-Agent": user_agent(),
    }


def partial_failure(answer: HttpAnswer) -> PartialFailure | None:
    """Return what an answer says of single points; None when it says nothing of them."""
    if answer.status != 400:
        return None
    try:
        told = json.loads(answer.body)
        success, failed = int(told["success"]), int(told["failed"])
        errors = told.get("errors") or []
    # `int` of what is infinite in JSON is an OverflowError.
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return PartialFailure(success, failed, errors if isinstance(errors, list) else [errors])


def call_patiently(call: Callable[[], HttpAnswer], patience: Patience) -> HttpAnswer:
    """Call until there is an answer that another try would not change.

    Raises:
        NoAnswerError: There was none, after all tries.
    """
    backoff = Backoff(patience.first_pause_s, _LONGEST_PAUSE_S)
    left = max(0, patience.retry_count)
    while True:
        retry_after_s = None
        try:
            answer = call()
        except NoAnswerError as error:
            if error.is_tls or not left or patience.wait(backoff.next_pause_s(None)):
                raise
        else:
            if answer.status < 500 and answer.status not in _ABOUT_RECEIVER:
                return answer
            if answer.retry_after_s is not None:
                retry_after_s = min(answer.retry_after_s, _LONGEST_RETRY_AFTER_S)
            if not left or patience.wait(backoff.next_pause_s(retry_after_s)):
                return answer
        left -= 1


class Posting:
    """Rows on their way, in requests of a size that is taken, and what became of them.

    Args:
        http: Where they go.
        timeout_s: For each request.
        patience: See there.
        deadline: Monotonic time by which all requests are to be over; None for none.
    """

    def __init__(
        self,
        http: HttpClient,
        timeout_s: float,
        patience: Patience,
        deadline: float | None = None,
    ) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._patience = patience
        self._deadline = deadline
        self._success = 0
        self._failed = 0
        self._errors: list[object] = []
        self._status: int | None = None
        self._why = ""
        self._cause: Exception | None = None

    def run(self, rows: Sequence[str]) -> None:
        """Post rows.

        Raises:
            ApptuitSendException: Some or all were not taken.
        """
        todo = deque(rows[at : at + MAX_POINTS] for at in range(0, len(rows), MAX_POINTS))
        while todo:
            part = todo.popleft()
            if not self._post(part, todo):
                self._failed += sum(map(len, todo))
                break
        if self._failed:
            raise ApptuitSendException(
                f"{self._http.server}: {self._why}",
                self._status,
                self._success,
                self._failed,
                self._errors,
            ) from self._cause

    def _post(self, part: Sequence[str], todo: deque[Sequence[str]]) -> bool:
        """Return whether it is of use to post more."""
        try:
            answer = call_patiently(
                lambda: post_once(self._http, part, self._time()), self._patience
            )
        except NoAnswerError as error:
            self._fail(None, len(part), str(error))
            self._cause = error
            return False
        if 200 <= answer.status < 300:
            self._success += len(part)
            return True
        partial = partial_failure(answer)
        if partial is not None:
            self._success += partial.success
            self._errors += partial.errors
            self._fail(400, partial.failed, f"{partial.failed} points were refused")
        elif answer.status == 413 and len(part) > 1:
            half = len(part) // 2
            todo.extendleft((part[half:], part[:half]))
        else:
            self._fail(answer.status, len(part), _why(answer.status, part))
            return answer.status in {400, 413}
        return True

    def _time(self) -> float:
        if self._deadline is None:
            return self._timeout_s
        return min(self._timeout_s, max(0.0, self._deadline - time.monotonic()))

    def _fail(self, status: int | None, count: int, why: str) -> None:
        self._failed += count
        self._status, self._why = status, why


def _why(status: int, part: Sequence[str]) -> str:
    if status == 401:
        return "the token was refused"
    if status == 413:
        size = len(zlib.compress(body_of(part))) / _MEBIBYTE
        return f"a body of {size:.3f} MB, compressed, with {len(part)} points is too large"
    if 300 <= status < 400:
        return f"it answered {status}, and redirects are not followed: points would be lost"
    return f"it answered {status}" + (": Server Error" if status >= 500 else "")
