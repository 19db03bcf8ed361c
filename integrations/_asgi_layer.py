"""What stands around an ASGI application: the driver, and what lifespans start and deliver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wf_instrument.guard import guard
from wf_instrument.web.asgi import REQUEST_KEY, AsgiTelemetry
from wf_instrument.web.steps import as_coroutine, stepped

if TYPE_CHECKING:
    from wf_instrument.telemetry import Telemetry
    from wf_instrument.web.asgi import AsgiApplication, Message, Receive, RouteOf, Scope, Send
    from wf_instrument.web.recorder import Recorder

__all__ = ["AsgiLayer", "TaskMeter"]


class AsgiLayer(AsgiTelemetry):
    """Records requests; a lifespan begins and ends the reporting.

    Args:
        app: The application to see.
        telemetry: What a lifespan starts, and delivers at its end.
        recorder: Where requests are recorded; None records nothing.
        route_of: Asks the framework for the route object of a request.
        mount_of: Asks it for the mount that led to a layer further in.
        answers_lifespan: Whether to answer it for an application that refuses it at once. Some
            servers end by a signal that runs nothing else.
    """

    def __init__(
        self,
        app: AsgiApplication,
        telemetry: Telemetry | None,
        recorder: Recorder | None,
        route_of: RouteOf,
        mount_of: RouteOf | None = None,
        *,
        answers_lifespan: bool = False,
    ) -> None:
        if recorder is not None:
            super().__init__(app, recorder, route_of, mount_of=mount_of)
        self.app = app
        self.is_on = recorder is not None
        self._telemetry = telemetry
        self._answers_lifespan = answers_lifespan

    async def serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is neither an HTTP request nor a WebSocket."""
        telemetry = self._telemetry
        if telemetry is None or scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        self.begin()

        is_asked = False

        async def asked() -> Message:
            nonlocal is_asked
            is_asked = True
            return await receive()

        async def send_after_delivery(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self.deliver()
            await send(message)

        try:
            await self.app(scope, asked, send_after_delivery)
        except Exception:
            if is_asked or not self._answers_lifespan:
                raise
            await _answer_lifespan(receive, send_after_delivery)

    def begin(self) -> None:
        """Start the reporting; the first request would, too."""
        if self._telemetry is not None:
            with guard("asgi.lifespan"):
                self._telemetry.pipeline.start()

    async def deliver(self) -> None:
        """Deliver what was recorded, without holding up what else the loop does."""
        telemetry = self._telemetry
        if telemetry is None:
            return
        timeout_s = telemetry.settings.shutdown_timeout_s
        with guard("asgi.lifespan"):
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # trio: nothing but this waits at the end of a process
                telemetry.flush(timeout_s)
            else:
                await loop.run_in_executor(None, telemetry.flush, timeout_s)


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    message = await receive()
    await send({"type": f"{message['type']}.complete"})
    message = await receive()
    await send({"type": f"{message['type']}.complete"})


class TaskMeter:
    """Innermost layer: meters a request that a middleware further out runs in its own task.

    Such a middleware ends the response of a stream that broke off, and raises only then.
    """

    def __init__(self, app: AsgiApplication) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve through the application."""
        request: Any = scope.get(REQUEST_KEY)
        if request is None or request.is_stepping or request.recorder.cpu_clock is None:
            await self.app(scope, receive, send)
        else:
            try:
                await stepped(as_coroutine(self.app(scope, receive, send)), request)
            except Exception as error:
                with guard("asgi.task"):
                    if request.status and not request.is_finished:
                        request.fail(error, "aborted_stream")
                raise
