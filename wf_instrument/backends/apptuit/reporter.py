"""A reporter from pyformance registries to Apptuit.

Threads: one of its own once `start` was called; otherwise the caller's.
Locks: `_reporting` makes reports follow one another; `_starting` guards the thread.
Fork: the child has no thread until it calls `start`: it would send copies of its parent's values
    under the same names.
Loss: what Apptuit does not take is told to the error handler and counted in the meta metrics; a
    cumulative value says it all the next time. Values that are no finite number are counted.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.apptuit.client import BASE_SLEEP_TIME_SECS, DEFAULT_ENDPOINT, Apptuit
from wf_instrument.backends.apptuit.environment import (
    DISABLE_HOST_TAG,
    is_host_tag_disabled,
    tags_from_environment,
)
from wf_instrument.backends.apptuit.exceptions import ApptuitDataError, ApptuitSendException
from wf_instrument.backends.apptuit.meta_metrics import (
    API_CALL_TIMER,
    NUMBER_OF_FAILED_POINTS,
    NUMBER_OF_SUCCESSFUL_POINTS,
    NUMBER_OF_TOTAL_POINTS,
    MetaMetrics,
)
from wf_instrument.backends.apptuit.posting import MAX_POINTS as BATCH_SIZE
from wf_instrument.backends.apptuit.process_metrics import ProcessMetrics
from wf_instrument.backends.apptuit.registry_points import read_registry
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught, guard
from wf_instrument.metrics.pyformance_shim import MetricsRegistry, Reporter, global_registry
from wf_instrument.process_exit import at_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "API_CALL_TIMER",
    "BATCH_SIZE",
    "DISABLE_HOST_TAG",
    "NUMBER_OF_FAILED_POINTS",
    "NUMBER_OF_SUCCESSFUL_POINTS",
    "NUMBER_OF_TOTAL_POINTS",
    "ApptuitReporter",
    "default_error_handler",
]

log = logging.getLogger(__name__)

_STOP_TIMEOUT_S: Final = 5.0
_REQUEST_TIMEOUT_S: Final = 60.0
#: Failed points that are described one by one.
_MOST_ERRORS: Final = 1000


def default_error_handler(
    status_code: int | None, successful: int, failed: int, errors: list[Any]
) -> None:
    """Write to standard error how many points failed, and why."""
    if sys.stderr is not None:  # a process without a console
        sys.stderr.write(
            f"{failed} of {successful + failed} points could not be sent to Apptuit\n"
            f"HTTP status: {status_code}\n"
            f"errors: {errors}\n"
        )


class ApptuitReporter(Reporter):
    """Reports a registry to Apptuit, every so often or by `report_now`.

    Args:
        registry: What is reported; pyformance's global registry when None.
        reporting_interval: Seconds between two reports; the first is made at once.
        token: As for `Apptuit`.
        api_endpoint: As for `Apptuit`.
        prefix: Put in front of every name.
        tags: Tags of all points; they win over those of `APPTUIT_TAGS`, a metric's own over both.
        error_handler: Called as `error_handler(status_code, successful, failed, errors)` for each
            request that failed; None is silent.
        disable_host_tag: Whether the tag `host` is left out; the variable
            `APPTUIT_DISABLE_HOST_TAG` decides when None.
        collect_process_metrics: Whether CPU, memory and so on of the process are reported too.
        sanitize_mode: As for `Apptuit`.
        retry_count: How often a request is made again after no answer, 408, 429 or 5xx.
        retry: The same, under another name.
        first_pause_s: As for `Apptuit`.
        ca_file: As for `Apptuit`.
        allow_insecure: As for `Apptuit`.

    Attributes:
        client: The `Apptuit` that sends.
        tags: Tags of all points; None for none.
        skipped: How many values were no finite number, and so not sent.

    Raises:
        ApptuitConfigError: As for `Apptuit`; also a `ValueError`.
    """

    def __init__(
        self,
        registry: MetricsRegistry | None = None,
        reporting_interval: float = 10,
        token: str | None = None,
        api_endpoint: str = DEFAULT_ENDPOINT,
        prefix: str | None = "",
        tags: Mapping[str, Any] | None = None,
        error_handler: Callable[[int | None, int, int, list[Any]], object]
        | None = default_error_handler,
        disable_host_tag: bool | None = None,
        collect_process_metrics: bool = False,
        sanitize_mode: str | None = "prometheus",
        retry_count: int = 0,
        *,
        retry: int | None = None,
        first_pause_s: float = BASE_SLEEP_TIME_SECS,
        ca_file: str | None = None,
        allow_insecure: bool = False,
    ) -> None:
        super().__init__(global_registry() if registry is None else registry, reporting_interval)
        self.prefix = prefix or ""
        self.tags = _all_tags(tags, disable_host_tag)
        self.error_handler = error_handler
        self.retry_count = retry_count if retry is None else retry
        self.client = Apptuit(
            token,
            api_endpoint,
            self.tags,
            ignore_environ_tags=True,
            sanitize_mode=sanitize_mode,
            first_pause_s=first_pause_s,
            ca_file=ca_file,
            allow_insecure=allow_insecure,
        )
        self.endpoint = self.client.endpoint
        self.token = self.client.token
        self.process_metrics = ProcessMetrics(self.registry) if collect_process_metrics else None
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        # An error handler may report.
        self._reporting = threading.RLock()
        self._starting = threading.Lock()
        self._stopped = threading.Event()
        self._loop_thread: threading.Thread | None = None
        self._deadline: float | None = None
        self._meta = MetaMetrics()
        self._meta_metrics_registry = self._meta.registry

    @property
    def skipped(self) -> int:
        """How many values were no finite number, and so not sent."""
        return self.client.skipped

    def create_thread(self) -> None:
        """Do nothing: `start` makes the thread."""

    def start(self) -> bool:
        """Report every interval from now on, until `stop`; False when it does so already."""
        with self._starting:
            if self._loop_thread is not None and self._loop_thread.is_alive():
                return False
            self._stopped = threading.Event()
            self._deadline = None
            self._loop_thread = threading.Thread(
                target=self._loop,
                args=(self._stopped,),
                name="wf-instrument-apptuit-reporter",
                daemon=True,
            )
            self._loop_thread.start()
            _running.add(self)
        return True

    def stop(self, timeout: float = _STOP_TIMEOUT_S) -> None:
        """Report once more if `start` was called, and stop; takes `timeout` seconds at most."""
        with self._starting:
            thread, self._loop_thread = self._loop_thread, None
            if thread is not None:
                self._deadline = time.monotonic() + timeout
                self._stopped.set()
            _running.discard(self)
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, timeout))
            if not thread.is_alive():  # later reports are the caller's, and take their time
                self._deadline = None
                self._stopped = threading.Event()
        self.client.http.close()

    def report_now(
        self, registry: MetricsRegistry | None = None, timestamp: float | None = None
    ) -> None:
        """Send the values of a registry, and what this reporter tells of itself.

        Args:
            registry: In place of the reporter's own.
            timestamp: Unix time in seconds, in place of now.

        Raises:
            ApptuitSendException: Some or all points were not taken; the error handler was told.
        """
        with self._reporting:
            if self.process_metrics is not None:
                self.process_metrics.collect_process_metrics()
            at_s = round(timestamp or self.clock.time())
            failures = _Failures()
            rows = self._rows(self.registry if registry is None else registry, at_s, failures)
            # Before anything is sent: they tell of earlier reports.
            meta_rows = self._rows(self._meta.registry, round(self.clock.time()), failures)
            if failures.failed:
                self._meta.count(0, failures.failed)
                self._tell(None, 0, failures.failed, failures.errors)
            for at in range(0, len(rows), BATCH_SIZE):
                if self._send(rows[at : at + BATCH_SIZE], failures, is_counted=True):
                    continue
                rest = len(rows) - at - BATCH_SIZE
                if rest > 0:  # nobody is there: each of the others would wait in vain
                    self._meta.count(0, rest)
                    failures.add(0, rest, [])
                break
            if failures.has_receiver:
                self._send(meta_rows, failures, is_counted=False)
            failures.raise_if_any()

    def _rows(self, registry: MetricsRegistry, at_s: int, failures: _Failures) -> list[str]:
        found = read_registry(registry)
        skipped = found.skipped
        rows = []
        for key, error in found.unreadable:
            failures.add(0, 1, [{"datapoint": {"metric": key}, "error": error}])
        for name, tags, value in found.values:
            try:
                row = self.client.rows.series(f"{self.prefix}{name}", tags).at(at_s, value)
            except ApptuitDataError as error:
                failures.add(0, 1, [{"datapoint": {"metric": name}, "error": error.msg}])
                continue
            if row is not None:
                rows.append(row)
        self.client.count_skipped(skipped)
        return rows

    def _send(self, rows: list[str], failures: _Failures, *, is_counted: bool) -> bool:
        """Send a request's rows; return whether it is of use to send more."""
        try:
            with self._meta.timed():
                self.client.send_rows(
                    rows,
                    _REQUEST_TIMEOUT_S,
                    self.retry_count,
                    deadline=self._deadline,
                    wait=self._stopped.wait,
                )
        except ApptuitSendException as error:
            success, failed = error.success or 0, error.failed or 0
            failures.add(success if is_counted else 0, failed, error.errors)
            failures.has_receiver = error.status_code not in {None, 401, 403}
            if is_counted:
                self._meta.count(success, failed)
            self._tell(error.status_code, success, failed, error.errors)
            return failures.has_receiver
        if is_counted:
            failures.success += len(rows)
            self._meta.count(len(rows), 0)
        return True

    def _tell(
        self, status_code: int | None, successful: int, failed: int, errors: list[Any]
    ) -> None:
        if self.error_handler:
            with guard("apptuit.error_handler"):
                self.error_handler(status_code, successful, failed, errors)

    def _loop(self, stopped: threading.Event) -> None:
        due = time.monotonic()
        while True:
            self._report_in_loop()
            # What was missed, while the machine slept for example, is not made up for.
            due = max(due + self.reporting_interval, time.monotonic())
            if stopped.wait(due - time.monotonic()):
                break
        self._report_in_loop()

    def _report_in_loop(self) -> None:
        try:
            self.report_now()
        except ApptuitSendException as error:
            log.debug("%s", error.msg)  # the error handler was told
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            caught("apptuit.reporter", error)


class _Failures:
    """What went wrong in one report.

    Attributes:
        success: Points that were taken.
        failed: Points that were not.
        errors: Some of them, described.
        has_receiver: Whether there is one that takes the token.
    """

    def __init__(self) -> None:
        self.success = 0
        self.failed = 0
        self.errors: list[Any] = []
        self.has_receiver = True

    def add(self, success: int, failed: int, errors: list[Any]) -> None:
        self.success += success
        self.failed += failed
        self.errors += errors[: max(0, _MOST_ERRORS - len(self.errors))]

    def raise_if_any(self) -> None:
        if self.failed:
            raise ApptuitSendException(
                f"{self.failed} points of a report were not taken",
                None,
                self.success,
                self.failed,
                self.errors,
            )


def _all_tags(
    tags: Mapping[str, Any] | None, disable_host_tag: bool | None
) -> dict[str, Any] | None:
    all_tags: dict[str, Any] = {**tags_from_environment(), **(tags or {})}
    is_disabled = is_host_tag_disabled() if disable_host_tag is None else disable_host_tag
    if not is_disabled and all_tags.get("host") is None:
        all_tags["host"] = socket.gethostname()
    return all_tags or None


_running: weakref.WeakSet[ApptuitReporter] = weakref.WeakSet()


def _stop_all() -> None:
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    for reporter in list(_running):
        reporter.stop(max(0.0, deadline - time.monotonic()))


at_exit(_stop_all)
