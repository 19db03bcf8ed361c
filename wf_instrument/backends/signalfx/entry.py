"""The door to the service: an object that makes the client of each of its APIs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wf_instrument.backends.signalfx.constants import (
    DEFAULT_API_ENDPOINT,
    DEFAULT_INGEST_ENDPOINT,
    DEFAULT_STREAM_ENDPOINT,
    DEFAULT_TIMEOUT,
)
from wf_instrument.backends.signalfx.ingest_client import ProtoBufSignalFxIngestClient
from wf_instrument.backends.signalfx.request_errors import request_error
from wf_instrument.backends.signalfx.response import IngestResponse
from wf_instrument.errors import SendError
from wf_instrument.sender.transport import HttpTransport

if TYPE_CHECKING:
    from wf_instrument.backends.signalfx.rest import SignalFxRestClient
    from wf_instrument.backends.signalfx.signalflow.client import SignalFlowClient

__all__ = ["SignalFx"]


class SignalFx:
    """Makes clients; opens nothing and holds no token.

    Args:
        api_endpoint: Of the REST API.
        ingest_endpoint: Of the ingest API.
        stream_endpoint: Of SignalFlow.
        timeout: Seconds, for the clients that are given none.
        compress: Whether bodies go gzipped, and SignalFlow's messages come so.
    """

    def __init__(
        self,
        api_endpoint: str = DEFAULT_API_ENDPOINT,
        ingest_endpoint: str = DEFAULT_INGEST_ENDPOINT,
        stream_endpoint: str = DEFAULT_STREAM_ENDPOINT,
        timeout: float = DEFAULT_TIMEOUT,
        compress: bool = True,
    ) -> None:
        self._api_endpoint = api_endpoint
        self._ingest_endpoint = ingest_endpoint
        self._stream_endpoint = stream_endpoint
        self._timeout = timeout
        self._compress = compress

    def login(self, email: str, password: str) -> str:
        """Return a session's token for the REST API and SignalFlow; it is no good for ingest.

        Raises:
            SendError: No answer, or a refusal; also an exception of `requests` where installed.
        """
        body = json.dumps({"email": email, "password": password}).encode()
        headers = {"Content-Type": "application/json"}
        transport = HttpTransport(self._api_endpoint)
        try:
            answer = transport.exchange("/v2/session", body, headers, self._timeout)
        except SendError as error:
            raise request_error(error) from None
        finally:
            transport.close()
        response = IngestResponse(*answer)
        response.raise_for_status()
        found = response.json()
        if not isinstance(found, dict) or not isinstance(found.get("accessToken"), str):
            raise SendError("the service answered a login without an accessToken")
        return str(found["accessToken"])

    def rest(
        self, token: str, endpoint: str | None = None, timeout: float | None = None
    ) -> SignalFxRestClient:
        """Return a client of the REST API; needs `wf-instrument[signalfx]`."""
        from wf_instrument.backends.signalfx.rest import SignalFxRestClient

        return SignalFxRestClient(
            token, endpoint or self._api_endpoint, timeout=timeout or self._timeout
        )

    def ingest(
        self,
        token: str,
        endpoint: str | None = None,
        timeout: float | None = None,
        compress: bool | None = None,
    ) -> ProtoBufSignalFxIngestClient:
        """Return a client of the ingest API."""
        return ProtoBufSignalFxIngestClient(
            token,
            endpoint or self._ingest_endpoint,
            timeout=timeout or self._timeout,
            compress=self._compress if compress is None else compress,
        )

    def signalflow(
        self,
        token: str,
        endpoint: str | None = None,
        timeout: float | None = None,
        compress: bool | None = None,
    ) -> SignalFlowClient:
        """Return a client of SignalFlow, over WebSocket; needs `wf-instrument[signalfx]`."""
        from wf_instrument.backends.signalfx.signalflow.client import SignalFlowClient

        return SignalFlowClient(
            token,
            endpoint or self._stream_endpoint,
            timeout=timeout or self._timeout,
            compress=self._compress if compress is None else compress,
        )
