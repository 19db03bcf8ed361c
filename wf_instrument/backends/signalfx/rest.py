"""Metadata of the service by its REST API: metrics, dimensions, tags, dashboards, detectors.

Threads: one session a client; as safe to share as a session of `requests` is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from wf_instrument.backends.signalfx.constants import (
    DEFAULT_API_ENDPOINT,
    DEFAULT_TIMEOUT,
    USER_AGENT,
)
from wf_instrument.backends.signalfx.rest_calls import RestCalls
from wf_instrument.errors import ConfigError, MissingExtraError
from wf_instrument.sender.transport import fits_a_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from requests import Response, Session
    from typing_extensions import Self

__all__ = ["SignalFxRestClient"]

_NOT_FOUND: Final = 404


class SignalFxRestClient(RestCalls):
    """Reads and changes metadata.

    Every method raises `requests.exceptions.HTTPError` for an error status, with `.response`, and
    returns the decoded JSON of the answer unless it says otherwise. All take `timeout` in seconds.

    Args:
        token: User API token.
        endpoint: The service.
        timeout: Seconds, for the calls that are given none.

    Raises:
        MissingExtraError: `requests` is not installed.
        ConfigError: The token cannot stand in a header.
    """

    def __init__(
        self,
        token: str,
        endpoint: str = DEFAULT_API_ENDPOINT,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> None:
        try:
            import requests
        except ImportError as exc:
            raise MissingExtraError(
                "the SignalFx REST client needs the package 'requests', which is not installed; "
                "run: pip install 'wf-instrument[signalfx]'",
                name="requests",
            ) from exc
        if not isinstance(token, str) or not fits_a_header(token):
            raise ConfigError("the SignalFx token is no word of visible ASCII characters")
        self._endpoint = endpoint.rstrip("/")
        self._timeout_s = timeout or DEFAULT_TIMEOUT
        self._session = requests.Session()
        self._session.headers.update(
            {"Content-Type": "application/json", "X-SF-Token": token, "User-Agent": USER_AGENT}
        )

    def __repr__(self) -> str:
        return f"SignalFxRestClient({self._endpoint!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def _call(
        self,
        method: str,
        path: Sequence[str],
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        session: Session | None = None,
        timeout: float | None = None,
        allowed: int = 0,
        **kwargs: Any,
    ) -> Response:
        """Make a request; of a status from 400 on only `allowed` is not raised.

        Raises:
            ValueError: A part of the path is `.` or `..`, which no URL can hold.
        """
        url = f"{self._endpoint}/v2/{'/'.join(map(_encoded, path))}"
        options = {**kwargs, "timeout": timeout or self._timeout_s}
        options["params"] = {
            key: value for key, value in (query or {}).items() if value is not None
        }
        if body is not None:
            options["json"] = body
        if session is not None:
            options["headers"] = dict(self._session.headers)
        answer: Response = (session or self._session).request(method, url, **options)
        if answer.status_code != allowed:
            answer.raise_for_status()
        return answer

    def _read(self, *path: str, **kwargs: Any) -> Any:
        return self._call("GET", path, **kwargs).json()

    def _put(self, path: Sequence[str], body: object, **kwargs: Any) -> Any:
        return self._call("PUT", path, body=body, **kwargs).json()

    def _delete(self, *path: str, ignore_not_found: bool, **kwargs: Any) -> Response:
        return self._call("DELETE", path, allowed=_NOT_FOUND if ignore_not_found else 0, **kwargs)

    def _pages(
        self, path: str, batch_size: int, query: Mapping[str, object], **kwargs: Any
    ) -> list[Any]:
        """Return the results of all pages.

        Ends at an empty page too: objects may vanish between two pages, and the count with them.
        """
        found: list[Any] = []
        while True:
            asked = {"offset": len(found), "limit": batch_size, **query}
            page = self._read(path, query=asked, **kwargs)
            results = page.get("results") or []
            found += results
            if not results or len(found) >= page.get("count", 0):
                return found

    def _current(self, *path: str, **kwargs: Any) -> dict[str, Any]:
        """Return an object as it is now, empty when there is none."""
        answer = self._call("GET", path, allowed=_NOT_FOUND, **kwargs)
        found = answer.json() if answer.status_code != _NOT_FOUND else {}
        return found if isinstance(found, dict) else {}

    def _completed(
        self, path: Sequence[str], given: Mapping[str, object], kwargs: Mapping[str, Any]
    ) -> dict[str, object]:
        """Return what is given, and of what is not given what the service has.

        An update replaces the whole object: what is left out would be erased.
        """
        if None not in given.values():
            return dict(given)
        current = self._current(*path, **kwargs)
        empty: dict[str, object] = {"description": "", "customProperties": {}, "tags": []}
        return {
            name: value if value is not None else current.get(name) or empty[name]
            for name, value in given.items()
        }


def _encoded(part: object) -> str:
    """Return a part of a path by itself: a name may hold a slash or a question mark."""
    text = str(part)
    if text in {".", ".."}:
        raise ValueError(f"name {text!r} cannot be asked for: every URL loses it on the way")
    return quote(text, safe="")
