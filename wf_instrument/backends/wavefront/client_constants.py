"""The class constants that programs of the Wavefront SDK read off its client."""

from __future__ import annotations

from typing import Final

__all__ = ["ClientConstants"]


class ClientConstants:
    """Formats, paths and kinds of authentication.

    Source:
        Wavefront SDK, `WavefrontClient`; the time-out is this library's own.
    """

    WAVEFRONT_METRIC_FORMAT: Final = "wavefront"
    WAVEFRONT_HISTOGRAM_FORMAT: Final = "histogram"
    WAVEFRONT_TRACING_SPAN_FORMAT: Final = "trace"
    WAVEFRONT_SPAN_LOG_FORMAT: Final = "spanLogs"
    WAVEFRONT_EVENT_FORMAT: Final = "event"
    REPORT_END_POINT: Final = "/report"
    EVENT_END_POINT: Final = "/api/v2/event"
    #: Seconds that one request may take.
    HTTP_TIMEOUT: Final = 15.0
    AUTH_TYPE_PROXY: Final = "proxy"
    AUTH_TYPE_WAVEFRONT_API_TOKEN: Final = "wavefront_api_token"  # noqa: S105 - a kind, no token
    AUTH_TYPE_CSP_API_TOKEN: Final = "csp_api_token"  # noqa: S105 - as above
    AUTH_TYPE_CSP_OAUTH: Final = "csp_oauth"
