"""Whether a span is kept, decided once more at the end of its request, when all is known.

Threads: the threads of requests decide; the pipeline's thread keeps `RecentLatency` and hands on
    its bound as `RouteHandle.slow_ns`.

Fork: the child's recorder gives each route a new `RecentLatency`.

Called only for spans the sampler refused and for routes whose policy has a say: other requests
compare one flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.histogram import ExponentialHistogram

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.web.request import RequestRecord
    from wf_instrument.web.series import RouteHandle

__all__ = ["NEVER_SLOW_NS", "RecentLatency", "decide_late"]

#: No request takes longer: the bound of a route whose latencies are not known yet.
NEVER_SLOW_NS: Final = 1 << 63

#: Requests that a bound is taken from, at least, and of which the oldest half is forgotten.
_MIN_REQUESTS: Final = 20
_HALF: Final = 1000
_QUANTILE: Final = 0.95


def decide_late(
    request: RequestRecord, span: WavefrontSpan, handle: RouteHandle, latency_ns: int
) -> None:
    """Set the decision of a request's span, which is about to end.

    Of new traces that are sampled, the slow ones and the first of a route are kept beside the
    share. Failures are kept whatever samplers and shares say. Otherwise the word of the
    application (`sampling.priority`), and of the caller whose trace this continues, stands: only
    spans that a policy excludes, and those of quiet routes, go against the caller's.
    """
    was_kept = span.decision is not False
    keeps = _is_kept(request, span, handle, latency_ns, was_kept=was_kept)
    if keeps != was_kept:
        span.decision = keeps
        # Its children, which were kept until now, would have no parent.
        request.is_left_out = was_kept


class RecentLatency:
    """The last one to two thousand latencies of a route; used by the pipeline's thread alone."""

    def __init__(self) -> None:
        self._older = ExponentialHistogram()
        self._newer = ExponentialHistogram()

    def add(self, latency: ExponentialHistogram) -> None:
        """Add the latencies of one interval, in seconds."""
        self._newer.merge(latency)
        if self._newer.count >= _HALF:
            self._older, self._newer = self._newer, ExponentialHistogram()

    def slow_ns(self) -> int:
        """Return the time that one in twenty requests exceeds."""
        both = self._older.copy()
        both.merge(self._newer)
        if both.count < _MIN_REQUESTS:
            return NEVER_SLOW_NS
        return round(both.quantile(_QUANTILE) * 1e9)


def _is_kept(
    request: RequestRecord,
    span: WavefrontSpan,
    handle: RouteHandle,
    latency_ns: int,
    *,
    was_kept: bool,
) -> bool:
    policy = handle.policy
    if policy.excludes("spans"):
        return False
    if request.has_failed():
        return True
    if span.is_forced:
        return was_kept
    if policy.is_quiet or (handle.route is None and _is_quiet_path(request)):
        return False
    if span.parents:
        return was_kept
    if handle.recent is not None:
        is_first, handle.is_new = handle.is_new, False
        if is_first or latency_ns > handle.slow_ns:
            return True
    share = handle.share
    return was_kept if share is None else share.sample("", span.trace_id_int, 0)


def _is_quiet_path(request: RequestRecord) -> bool:
    # Where settings keep the query, it is part of the path.
    path = request.path().partition("?")[0]
    return path in request.recorder.policies.quiet_paths
