"""One request, from its first instruction to its last byte."""

from __future__ import annotations

import traceback
from threading import get_ident
from time import perf_counter_ns as _now_ns
from time import time_ns as _wall_ns
from typing import TYPE_CHECKING, Final

from wf_instrument.guard import caught
from wf_instrument.speed import RecordState
from wf_instrument.web.failed_in import mark_error
from wf_instrument.web.late_decision import decide_late
from wf_instrument.web.series import ABSENT

if TYPE_CHECKING:
    from wf_instrument.reporting.snapshot import Outcome
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.web.recorder import Recorder
    from wf_instrument.web.series import Cell, RouteHandle

__all__ = ["RequestRecord", "error_fields", "parse_request_start"]

#: Stack traces longer than this are cut, so that a recursion error stays sendable.
_MAX_STACK_CHARACTERS: Final = 8000

#: Waits before us that are longer than this, or clocks that differ by more, are nonsense.
_MAX_QUEUED_NS: Final = 3600 * 1_000_000_000


class RequestRecord(RecordState):
    """What is known of one request; recorded exactly once, by `finish`.

    Attributes:
        thread_cpu_ns: CPU time of its work in other threads; None before there is some.
        dimensions: What the application tagged it with; see `wf_instrument.set_dimension`.
        known_target: What an integration says was asked for, in place of what the server says.
        is_bridged: Whether what asgiref runs elsewhere for it is to be metered.
        is_left_out: Whether its span was dropped at the end, so that spans made within it go the
            same way.
    """

    # Compiled, an instance has its fields and no dictionary besides; in Python the state has one.
    __slots__ = ()

    def begin(self, recorder: Recorder, method: str) -> None:
        """Start the clocks."""
        self.recorder = recorder
        self.method = method
        self.started_ns = _wall_ns()
        clock = recorder.cpu_clock
        if clock is not None:
            self.started_cpu_ns = clock()
            self.thread_id = get_ident()
        self.started_mono_ns = _now_ns()
        if recorder.metrics:
            # Last: from here on a drain in another thread may look at it.
            recorder.live.add(self)

    def begin_span(self) -> None:
        """Make the server span of a request that has none yet, where that can be."""

    def resolve_handle(self) -> RouteHandle:
        """Return the handle of the request's route, asking the framework if need be."""
        raise NotImplementedError

    def peek_handle(self) -> RouteHandle | None:
        """Return the handle if the route is known; called by the draining thread."""
        return self.handle

    @property
    def served_request(self) -> RequestRecord:
        """Itself: what a context variable of the request holds may be asked for it."""
        return self

    def trace_id(self) -> int | None:
        """Return the id of the trace, None without a span."""
        return None if self.span is None else self.span.trace_id_int

    def fail(self, error: BaseException, outcome: Outcome = "server_error") -> None:
        """Note the exception that ended the request, or that became its error response."""
        if self.error is None:
            self.error = error
            # By name: before Python 3.11 asyncio had a class of its own.
            is_timeout = type(error).__name__ == "TimeoutError" and outcome == "server_error"
            self.outcome = "timeout" if is_timeout else outcome
            if self.span is not None:
                mark_error(error, self.span)

    def finish(self) -> None:
        """Record the request; harmless when called again. Never raises."""
        if self.is_finished:
            return
        self.is_finished = True
        started_ns = self.started_mono_ns
        ended_ns = self.ended_mono_ns = _now_ns()
        recorder = self.recorder
        try:
            latency_ns = ended_ns - started_ns
            cpu_ns = self._cpu_ns()
            handle = self.handle
            if handle is None:
                handle = self.handle = self.resolve_handle()
            outcome = self.outcome
            status = self.status
            if not status:
                status = self.status = 499 if outcome in _LEFT_EARLY else 500
            if recorder.metrics and handle.counts:
                if outcome is None and self.dimensions is None:
                    cells = handle.cells
                    cell = cells[status] if status in cells else handle.cell(status, None, None)
                else:
                    cell = self._rare_cell(handle, status)
                samples = cell.samples
                ttfb_ns = self.first_byte_ns - started_ns if self.first_byte_ns else ABSENT
                samples.append(
                    (latency_ns, cpu_ns, ttfb_ns, self.request_bytes, self.response_bytes)
                )
                if self.queued_ns >= 0:
                    cell.queued_ns.append(self.queued_ns)
                self.cell = cell
                # After the append: a drain that unlisted the cell before may not have seen it.
                if not cell.is_listed:
                    recorder.list_cell(cell)
                if len(samples) >= recorder.fold_after:
                    recorder.pipeline.wake()
            if status == 404 and handle.route is None:
                recorder.note_unmatched(self.path())
            span = self.span
            if span is not None:
                self._finish_span(span, handle, latency_ns)
            if recorder.extras is not None:
                recorder.extras.finished(self, handle, latency_ns, cpu_ns)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("request.finish", error)
        finally:
            recorder.live.discard(self)

    def _rare_cell(self, handle: RouteHandle, status: int) -> Cell:
        """Return the cell of a request that ended abnormally or has dimensions of its own."""
        name = None if self.error is None else type(self.error).__name__
        given = self.dimensions
        if given is None:
            return handle.cell(status, self.outcome, name)
        dimensions = self.recorder.dimensions.admitted(handle.route, given)
        return handle.cell(status, self.outcome, name, dimensions)

    def _cpu_ns(self) -> int:
        clock = self.recorder.cpu_clock
        # A response closed by another thread has no CPU figure that would mean anything.
        if clock is None or self.thread_id != get_ident():
            return ABSENT
        own_ns = clock() - self.started_cpu_ns + self.extra_cpu_ns
        parts = self.thread_cpu_ns
        return own_ns if parts is None else own_ns + sum(parts)

    def _finish_span(self, span: WavefrontSpan, handle: RouteHandle, latency_ns: int) -> None:
        # A name given by the application stays.
        if span.operation_name is self.method:
            span.operation_name = handle.func or "UNKNOWN"
        if self.error is not None:
            span.log_kv(error_fields(self.error))
        if handle.decides_late or span.decision is False:
            decide_late(self, span, handle, latency_ns)
        span.finish_after(latency_ns)
        cell = self.cell
        if cell is not None and span.decision:
            cell.exemplars[latency_ns.bit_length()] = span

    def span_tags(self) -> list[tuple[str, object]]:
        """Return the server span's tags; asked for lazily, when the span leaves."""
        framework = self.recorder.framework
        tags: list[tuple[str, object]] = [
            ("component", framework),
            ("span.kind", "server"),
            ("http.method", self.method),
        ]
        url = self.url()
        if url is not None:
            tags.append(("http.url", url))
        if self.status:
            tags.append(("http.status_code", str(self.status)))
        handle = self.handle
        if handle is not None and handle.func is not None:
            tags.append((f"{framework}.func", handle.func))
        if handle is not None and handle.route is not None:
            tags.append(("http.route", handle.route))
        if self.queued_ns >= 0:
            tags.append(("http.queued_ms", f"{self.queued_ns / 1e6:.3f}"))
        if self.status in self.recorder.error_statuses or self._has_raised():
            tags.append(("error", "true"))
        tags += self.request_header_tags
        tags += self.response_header_tags
        if self.dimensions is not None:
            ours = {key for key, _ in tags}
            tags += [pair for pair in self.dimensions.items() if pair[0] not in ours]
        return tags

    def path(self) -> str:
        """Return the path that was asked for."""
        return "" if self.url_parts is None else self.url_parts[3]

    def target(self) -> str:
        """Return what was asked for of the host: root and path, with the query if settings allow.

        Unlike in the environ, what was UTF-8 is read as such.
        """
        if self.known_target is not None:
            return self.known_target
        if self.url_parts is None:
            return ""
        text = self.url_parts[2] + self.url_parts[3]
        return text.encode("latin-1", "replace").decode("utf-8", "replace")

    def url(self) -> str | None:
        """Return the URL that was asked for; None when it is not known."""
        if self.url_parts is None:
            return None
        scheme, host, root, path = self.url_parts
        # A client may write user-info into the header.
        return f"{scheme}://{host.rpartition('@')[2]}{root}{path}"

    def has_failed(self) -> bool:
        """Return whether its span is worth keeping for that."""
        return (
            self.status >= 500 or self.status in self.recorder.error_statuses or self._has_raised()
        )

    def _has_raised(self) -> bool:
        return self.error is not None and self.outcome not in _LEFT_EARLY


_LEFT_EARLY: Final = frozenset({"client_disconnect", "cancelled"})


def error_fields(error: BaseException) -> dict[str, str]:
    """Return the fields of a span log about an exception.

    Source:
        OpenTracing semantic conventions, "Log fields".
    """
    stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {
        "event": "error",
        "error.kind": type(error).__name__,
        "message": str(error)[:_MAX_STACK_CHARACTERS],
        "stack": stack[-_MAX_STACK_CHARACTERS:],
    }


def parse_request_start(header: str, now_ns: int) -> int:
    """Return the nanoseconds since a proxy stamped `X-Request-Start`, ABSENT when absurd.

    Accepts `t=` or nothing before Unix seconds, milliseconds or microseconds, whichever is
    nearest to now.
    """
    try:
        value = float(header.strip().removeprefix("t=").rstrip("s"))
    except ValueError:
        return ABSENT
    for factor in (1_000_000_000, 1_000_000, 1_000):
        stamp = value * factor
        if now_ns - _MAX_QUEUED_NS <= stamp <= now_ns:
            return int(now_ns - stamp)
    return ABSENT
