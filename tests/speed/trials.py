"""Requests of every kind through a driver, and all that can be seen of them afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samples import IDENTITY
from wf_instrument.reporting import Pipeline
from wf_instrument.settings import Settings
from wf_instrument.testing import RecordingReporter
from wf_instrument.tracing import WavefrontTracer
from wf_instrument.tracing.active import ACTIVE
from wf_instrument.tracing.ids import seeded_ids
from wf_instrument.tracing.span_buffer import SpanBuffer
from wf_instrument.web import Recorder, WsgiTelemetry
from wf_instrument.web.asgi import AsgiTelemetry
from wf_instrument.web.current import current_request
from wf_instrument.web.dimensions import set_dimension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wf_instrument.tracing.span import WavefrontSpan

ROUTE = "/things/<id>"


@dataclass
class Trial:
    """One request: what is asked, how the application answers, and where it goes wrong.

    Attributes:
        raises_at: "call", "body" or "" for nowhere.
        does: What the view does besides: "renames", "finishes", "drops" or "tags" the span, gives
            the request a "dimension", or "" for nothing.
        options: Settings other than by default.
        view: The name of the view, for the framework's route.
        times: How often the request comes.
        leaves_after: After so many chunks the client is gone; None for a client that stays.
    """

    environ: dict[str, str] = field(default_factory=dict)
    route: str | None = ROUTE
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    kind: str = "list"
    chunks: list[bytes] = field(default_factory=list)
    raises_at: str = ""
    leaves_after: int | None = None
    spans: bool = True
    does: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    view: str | None = "view"
    times: int = 1


class Stage:
    """A driver's surroundings, new for each trial."""

    def __init__(self, trial: Trial, *, reports: bool = True) -> None:
        self.pipeline = Pipeline(IDENTITY, 60)
        self.reporter = RecordingReporter()
        if reports:
            self.pipeline.add_reporter("test", self.reporter)
        tracer = None
        if trial.spans:
            spans = SpanBuffer()
            self.pipeline.add_producer(spans)
            tracer = WavefrontTracer(spans)
        settings = Settings(**{"excluded_urls": ("^/health",), **trial.options})
        self.recorder = Recorder(
            "web", settings, self.pipeline, tracer, lambda route: (str(route), trial.view, None)
        )
        self.does = trial.does
        self.seen: list[object] = []
        # The first request of a process starts it, by the twin.
        self.recorder.start_reporting()

    def look(self) -> None:
        """Note what the application sees of its request."""
        request = current_request()
        self.seen.append((ACTIVE.get() is not None, request is not None and request.method))
        self._act(ACTIVE.get())

    def _act(self, span: WavefrontSpan | None) -> None:
        if self.does == "dimension":
            set_dimension("tier", "gold")
        elif span is None:
            return
        elif self.does == "renames":
            span.set_operation_name("named")
        elif self.does == "tags":
            span.set_tag("color", "red").log_kv({"event": "seen"})
        elif self.does == "drops":
            span.set_tag("sampling.priority", 0)
        elif self.does == "finishes":
            span.finish()

    def facts(self) -> dict[str, object]:
        """Return all that was recorded, but for times and ids."""
        self.pipeline.flush(5)
        rows = [
            (
                row.key,
                row.count,
                None if row.request_bytes is None else row.request_bytes.sum,
                None if row.response_bytes is None else row.response_bytes.sum,
                row.cpu is None,
                row.ttfb is None,
                row.queued is None,
                row.latency.count,
                bool(row.exemplars),
            )
            for row in self.reporter.requests
        ]
        spans = [
            (span.name, sorted(_plain(span.tags)), span.trace_id, span.span_id, span.is_error)
            for span in self.reporter.spans
        ]
        self.pipeline.shutdown(5)
        return {
            "rows": rows,
            "spans": spans,
            "live": len(self.recorder.live),
            "unmatched": [(path.path, path.count) for path in self.reporter.snapshot.unmatched],
            "seen": self.seen,
            "left active": ACTIVE.get(),
            "left current": current_request(),
        }


def _plain(tags: Any) -> Iterator[tuple[str, str]]:
    for key, value in tags:
        if key not in {"stack", "http.queued_ms"}:
            yield key, value


class TrialError(Exception):
    """What the application raises on purpose."""


def _closing(chunks: Callable[[], Iterator[bytes]], closed: list[str]) -> Any:
    class Closing:
        def __iter__(self) -> Iterator[bytes]:
            return chunks()

        def close(self) -> None:
            closed.append("closed")

    return Closing()


def _sized(chunks: Callable[[], Iterator[bytes]], closed: list[str], count: int) -> Any:
    class Sized(type(_closing(chunks, closed))):  # type: ignore[misc]  # made per trial
        def __len__(self) -> int:
            return count

    return Sized()


def serve_wsgi(trial: Trial) -> dict[str, object]:
    """Serve as a WSGI server would; return the response and what was recorded."""
    stage = Stage(trial)
    told: list[object] = []

    def chunks() -> Iterator[bytes]:
        for chunk in trial.chunks:
            stage.look()
            yield chunk
        if trial.raises_at == "body":
            raise TrialError("body")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        stage.look()
        if trial.raises_at == "call":
            raise TrialError("call")
        if trial.kind == "reads":
            told.append(environ["wsgi.input"].read())
        write = start_response(f"{trial.status} Made up", list(trial.headers))
        if trial.kind == "write":
            for chunk in trial.chunks:
                write(chunk)
            return []
        if trial.kind == "generator":
            return chunks()
        if trial.kind == "closing":
            return _closing(chunks, told)  # type: ignore[arg-type]  # of texts alone
        if trial.kind == "sized":
            return _sized(chunks, told, len(trial.chunks))  # type: ignore[arg-type]  # as above
        return list(trial.chunks) if trial.kind != "tuple" else tuple(trial.chunks)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        told.append((status, headers))
        return told.append

    known: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/things/1",
        "SCRIPT_NAME": "",
        "HTTP_HOST": "shop.example",
        "SERVER_NAME": "shop",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        **trial.environ,
    }
    driver = WsgiTelemetry(app, stage.recorder, lambda environ: trial.route)

    def ask() -> None:
        environ = {key: value for key, value in known.items() if value is not None}
        environ["wsgi.input"] = io.BytesIO(b"abc")
        try:
            body = driver(environ, start_response)
            told.append(len(body) if hasattr(body, "__len__") else "no length")
            for n, chunk in enumerate(body):
                if n == trial.leaves_after:
                    break
                told.append(chunk)
            if hasattr(body, "close"):
                body.close()
        except TrialError as error:
            told.append(repr(error))
        told.append(sorted(environ))

    with seeded_ids(7):
        for _ in range(trial.times):
            ask()
    return {"told": told, **stage.facts()}


def serve_asgi(trial: Trial) -> dict[str, object]:
    """Serve as an ASGI server would; return the messages and what was recorded."""
    stage = Stage(trial)
    told: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        stage.look()
        if trial.raises_at == "call":
            raise TrialError("call")
        if trial.kind == "reads":
            told.append(await receive())
        headers = [(key.encode(), value.encode()) for key, value in trial.headers]
        await send({"type": "http.response.start", "status": trial.status, "headers": headers})
        for chunk in trial.chunks:
            await asyncio.sleep(0)
            stage.look()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if trial.raises_at == "body":
            raise TrialError("body")
        if trial.kind == "write":
            return  # without an end
        if trial.kind == "tuple":
            # As a middleware may: in a task of its own.
            await asyncio.create_task(send({"type": "http.response.body"}))
        else:
            await send({"type": "http.response.body", "body": b"end"})
        stage.look()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"abc", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        sent = [one for one in told if isinstance(one, dict)]
        if trial.leaves_after is not None and len(sent) > trial.leaves_after:
            raise ConnectionResetError("gone")
        told.append(dict(message))

    path = trial.environ.get("PATH_INFO", "/things/1")
    known: Any = {
        "type": "http",
        "http_version": "1.1",
        "method": trial.environ.get("REQUEST_METHOD", "GET"),
        "path": path,
        "headers": [
            (key[5:].lower().replace("_", "-").encode(), value.encode())
            for key, value in {"HTTP_HOST": "shop.example", **trial.environ}.items()
            if key.startswith("HTTP_") and value is not None
        ],
        "query_string": trial.environ.get("QUERY_STRING", "").encode(),
    }
    driver: Any = AsgiTelemetry(app, stage.recorder, lambda scope: trial.route)

    async def serve() -> None:
        scope = dict(known)
        try:
            with contextlib.suppress(ConnectionResetError):
                await driver(scope, receive, send)
        except TrialError as error:
            told.append(repr(error))
        told.append(sorted(scope))

    with seeded_ids(7):
        for _ in range(trial.times):
            asyncio.run(serve())
    return {"told": told, **stage.facts()}
