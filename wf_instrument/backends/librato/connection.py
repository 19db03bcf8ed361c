"""The connection: every call of the Librato API, under the names that programs know.

Source:
    python-librato, README; Librato API reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from wf_instrument.backends.librato.alert_calls import AlertCalls
from wf_instrument.backends.librato.annotation_calls import AnnotationCalls
from wf_instrument.backends.librato.exceptions import RemovedCallError
from wf_instrument.backends.librato.measurement_queue import Queue
from wf_instrument.backends.librato.metric_calls import MetricCalls
from wf_instrument.backends.librato.reading_calls import ReadingCalls
from wf_instrument.backends.librato.requester import (
    BASE_PATH,
    DEFAULT_DEADLINE,
    HOSTNAME,
    from_environment,
)
from wf_instrument.backends.librato.sanitizer import sanitize_no_op
from wf_instrument.backends.librato.space_calls import SpaceCalls
from wf_instrument.backends.librato.token_calls import TokenCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

__all__ = ["LibratoConnection", "connect"]

#: Words in the names of calls that the service has no more, and what took their place.
_REMOVED: Final = (("dashboard", "spaces"), ("instrument", "charts"))


class LibratoConnection(
    MetricCalls, ReadingCalls, AnnotationCalls, SpaceCalls, AlertCalls, TokenCalls
):
    """Talks to the service; safe to share between threads, harmless to copy and to pickle.

    Nothing is asked of the service before the first call. See `Requester` for the arguments.
    """

    def new_queue(self, **kwargs: Any) -> Queue:
        """Return a queue that submits through this connection; see `Queue` for the arguments."""
        return Queue(self, **kwargs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> NoReturn:
        for word, instead in _REMOVED:
            if word in name:
                raise RemovedCallError(
                    f"{name}() is gone: the service has no {word}s any more; use {instead}"
                )
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")


def connect(
    username: str | None = None,
    api_key: str | None = None,
    hostname: str = HOSTNAME,
    base_path: str = BASE_PATH,
    sanitizer: Callable[[str], str] = sanitize_no_op,
    protocol: str = "https",
    tags: Mapping[str, str] | None = None,
    *,
    deadline: float = DEFAULT_DEADLINE,
) -> LibratoConnection:
    """Return a connection; nothing is asked of the service.

    Args:
        username: The user's e-mail address; `LIBRATO_USER` of the environment when not given.
        api_key: The token; `LIBRATO_TOKEN` of the environment when not given.
        hostname: Of the service, or another that speaks alike; may have a port.
        base_path: In front of every path.
        sanitizer: Makes a metric's name one that the service takes.
        protocol: `https` or `http`.
        tags: Of all measurements, unless they have others.
        deadline: Seconds that one request may take with all its retries.

    Raises:
        TypeError: User or token are no ASCII text.
        ConfigError: (a `ValueError`) `protocol` or `base_path` cannot be.
    """
    return LibratoConnection(
        from_environment(username, "LIBRATO_USER"),
        from_environment(api_key, "LIBRATO_TOKEN"),
        hostname,
        base_path,
        sanitizer,
        protocol,
        tags,
        deadline=deadline,
    )
