"""What is believed of the trace headers that callers send.

Threads: request threads; `_forced` is a bounded deque, whose appends are atomic. Threads that ask
    in the same instant may together pass a few contexts more than the bound.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from wf_instrument.tracing.span_context import WavefrontSpanContext
from wf_instrument.trust import NEVER, SAMPLED_ONLY, networks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.settings import Settings
    from wf_instrument.tracing.tracer import WavefrontTracer

__all__ = ["IncomingTrust"]

_T = TypeVar("_T")

_MAX_PEERS: Final = 1024


class IncomingTrust:
    """Decides on the callers' trace headers, as the setting `trust_incoming` says.

    Args:
        settings: Who is believed, and how many spans a second strangers can have kept.
        clock: Monotonic seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        rule = settings.trust_incoming
        self._is_never = rule == NEVER
        self._is_sampled_only = rule == SAMPLED_ONLY
        self._networks = networks_of(rule)
        self._clock = clock
        self._forced: deque[float] = deque(maxlen=settings.max_forced_spans_per_second)
        # A peer, or the proxy in front of us, sends many requests.
        self._is_inside = lru_cache(_MAX_PEERS)(self._is_in_a_network)

    def parent(
        self,
        tracer: WavefrontTracer,
        extract: Callable[[WavefrontTracer, _T], WavefrontSpanContext | None],
        headers: _T,
        peer: str | None,
    ) -> WavefrontSpanContext | None:
        """Return the context that a caller sent, as far as it is believed.

        Called only for a request that has a trace header.

        Args:
            tracer: Reads the headers.
            extract: Called as `extract(tracer, headers)`, if the caller is believed.
            headers: In whatever form `extract` takes.
            peer: Address of the other end of the connection; None when it is not known.
        """
        if self._is_never or (self._networks and not self._is_inside(peer or "")):
            return None
        context = extract(tracer, headers)
        if context is None:
            return None
        is_sampled = context.get_sampling_decision()
        if self._is_sampled_only and not is_sampled:
            return None
        # Who names networks has no strangers in them.
        if is_sampled and not self._networks and tracer.is_sampling and not self._may_force():
            return _undecided(context)
        return context

    def _may_force(self) -> bool:
        """Return whether one more span of this second may be kept because a caller says so."""
        forced, now_s = self._forced, self._clock()
        if len(forced) == forced.maxlen and (not forced or now_s - forced[0] < 1.0):
            return False
        forced.append(now_s)
        return True

    def _is_in_a_network(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:  # the path of a socket, or nothing
            return False
        # IPv4 over a socket of both kinds.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


def _undecided(context: WavefrontSpanContext) -> WavefrontSpanContext:
    return WavefrontSpanContext(
        context.trace_id_int,
        context.span_id_int,
        context.baggage,
        None,
        tracestate=context.tracestate,
    )
