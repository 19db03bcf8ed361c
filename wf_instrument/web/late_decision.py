"""Whether a span is kept, decided once more at the end of its request, when all is known.

Called only for spans the sampler refused and for routes whose policy has a say: other requests
compare one flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.web.request import RequestRecord
    from wf_instrument.web.series import RouteHandle

__all__ = ["decide_late"]


def decide_late(request: RequestRecord, span: WavefrontSpan, handle: RouteHandle) -> None:
    """Set the decision of a request's span, which is about to end.

    Failures are kept whatever samplers and shares say. Beyond them, nothing is decided against the
    application (`sampling.priority`), or against the caller whose trace this continues, except
    that a route's policy may leave out its spans.
    """
    was_kept = span.decision is not False
    keeps = _is_kept(request, span, handle, was_kept=was_kept)
    if keeps != was_kept:
        span.decision = keeps
        # Its children, which were kept until now, would have no parent.
        request.is_left_out = was_kept


def _is_kept(
    request: RequestRecord, span: WavefrontSpan, handle: RouteHandle, *, was_kept: bool
) -> bool:
    policy = handle.policy
    if policy.excludes("spans"):
        return False
    if request.has_failed():
        return True
    if span.is_forced:
        return was_kept
    if policy.is_quiet or (
        handle.route is None and request.path() in request.recorder.policies.quiet_paths
    ):
        return False
    if span.parents:
        return was_kept
    share = handle.share
    return was_kept if share is None else share.sample("", span.trace_id_int, 0)
