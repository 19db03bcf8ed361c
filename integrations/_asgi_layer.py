"""What stands around an ASGI application: the driver, and what lifespans start and deliver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wf_instrument.guard import guard
from wf_instrument.web.asgi import REQUEST_KEY
from wf_instrument.web.steps import as_coroutine, stepped

if TYPE_CHECKING:
    from wf_instrument.telemetry import Telemetry
    from wf_instrument.web.asgi import AsgiApplication, AsgiTelemetry, Message, Receive, Scope, Send

__all__ = ["AsgiLayer", "TaskMeter"]


class AsgiLayer:
    """Sends requests through the driver; a lifespan begins and ends the reporting."""

    def __init__(self, driver: AsgiTelemetry, telemetry: Telemetry) -> None:
        self.driver = driver
        self.app = driver.app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what the server asks for through the application."""
        if scope["type"] != "lifespan":
            await self.driver(scope, receive, send)
            return
        with guard("asgi.lifespan"):
            self._telemetry.pipeline.start()

        async def send_after_delivery(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self._deliver()
            await send(message)

        await self.app(scope, receive, send_after_delivery)

    async def _deliver(self) -> None:
        """Deliver what was recorded, without holding up what else the loop does."""
        timeout_s = self._telemetry.settings.shutdown_timeout_s
        with guard("asgi.lifespan"):
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # trio: nothing but this waits at the end of a process
                self._telemetry.flush(timeout_s)
            else:
                await loop.run_in_executor(None, self._telemetry.flush, timeout_s)


class TaskMeter:
    """Innermost layer: meters a request that a middleware further out runs in its own task."""

    def __init__(self, app: AsgiApplication) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve through the application."""
        request: Any = scope.get(REQUEST_KEY)
        if request is None or request.is_stepping or request.recorder.cpu_clock is None:
            await self.app(scope, receive, send)
        else:
            await stepped(as_coroutine(self.app(scope, receive, send)), request)
