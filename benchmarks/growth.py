"""What a request of ours costs as the work grows: routes, threads, requests in flight.

Usage: python benchmarks/growth.py [--rounds N] [--requests N] [--write]

Added by instrumenting, metrics and span, to a bare WSGI or ASGI application that does nothing: CPU
of the whole process, in microseconds a request. Drains are in between: they grow with the active
series, as `drain.py` shows. A flat row is what is wanted; the bare application's own cost as it
grows is taken off. Sizes take turns in every round.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import threading
import time
from typing import TYPE_CHECKING, Any

import results_page
from overhead_apps import asgi_app, asgi_scope, wsgi_app, wsgi_environ

import wf_instrument

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTES = (10, 100, 1_000, 10_000)
THREADS = (1, 4, 16, 64)
IN_FLIGHT = (1, 100, 1_000, 10_000)


def instrumented(app: Any, name: str) -> Any:
    """Return the application instrumented; `name` keeps it apart from the others."""
    return wf_instrument.instrument(app, reporter="null://", tick_s=60, service=name).app


def cpu_us(work: Callable[[], object], requests: int) -> float:
    gc.collect()
    begun = time.process_time_ns()
    work()
    spent = (time.process_time_ns() - begun) / requests / 1000
    wf_instrument.flush()
    return spent


def flask_routes(number: int) -> Any:
    """Return a Flask application of so many routes."""
    import flask

    app = flask.Flask("growth")
    for route in range(number):
        app.add_url_rule(f"/r{route}/<name>", f"view_{route}", lambda name: name)
    return app


def over_routes(number: int, requests: int) -> list[Callable[[], float]]:
    """Return what measures bare and ours, requests spread over all routes."""

    def measured(app: Any) -> Callable[[], float]:
        def once() -> float:
            environs = [
                {**wsgi_environ(), "PATH_INFO": f"/r{done * 7919 % number}/x"}
                for done in range(requests)
            ]
            return cpu_us(lambda: serve_wsgi(app, environs), requests)

        return once

    bare, ours = flask_routes(number), instrumented(flask_routes(number), f"routes-{number}")
    # Handles are made by the first request of a route, and are not a request's cost.
    for app in (bare, ours):
        serve_wsgi(app, [{**wsgi_environ(), "PATH_INFO": f"/r{n}/x"} for n in range(number)])
    return [measured(bare), measured(ours)]


def serve_wsgi(app: Any, environs: list[dict[str, Any]]) -> None:
    for environ in environs:
        body = app(environ, lambda *_: None)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()


def over_threads(number: int, requests: int) -> list[Callable[[], float]]:
    """As `over_routes`; the requests are shared out to so many threads."""

    def measured(app: Any) -> Callable[[], float]:
        def once() -> float:
            shares = [[wsgi_environ() for _ in range(requests // number)] for _ in range(number)]
            threads = [threading.Thread(target=serve_wsgi, args=(app, one)) for one in shares]

            def work() -> None:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

            return cpu_us(work, requests)

        return once

    return [measured(wsgi_app()), measured(instrumented(wsgi_app(), f"threads-{number}"))]


def over_in_flight(number: int, requests: int) -> list[Callable[[], float]]:
    """As `over_routes`; so many requests are open while each of the others is served."""
    served = max(requests, 1000)

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            await receive()
        await plain(scope, receive, send)

    plain = asgi_app()

    def measured(app: Any) -> Callable[[], float]:
        async def serve() -> float:
            release = asyncio.Event()

            async def receive() -> dict[str, Any]:
                await release.wait()
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                pass

            loop = asyncio.get_running_loop()
            waits = [{**asgi_scope(), "path": "/wait"} for _ in range(number - 1)]
            held = [loop.create_task(app(scope, receive, send)) for scope in waits]
            await asyncio.sleep(0)
            scopes = [asgi_scope() for _ in range(served)]
            gc.collect()
            begun = time.process_time_ns()
            for scope in scopes:
                await loop.create_task(app(scope, receive, send))
            spent = (time.process_time_ns() - begun) / served / 1000
            release.set()
            await asyncio.gather(*held)
            return spent

        def once() -> float:
            spent = asyncio.run(serve())
            wf_instrument.flush()
            return spent

        return once

    return [measured(waiting), measured(instrumented(waiting, f"in-flight-{number}"))]


GROWTHS: dict[str, tuple[tuple[int, ...], Callable[[int, int], list[Callable[[], float]]]]] = {
    "routes (Flask)": (ROUTES, over_routes),
    "threads (WSGI)": (THREADS, over_threads),
    "requests in flight (ASGI)": (IN_FLIGHT, over_in_flight),
}


def measure(growth: str, rounds: int, requests: int) -> list[list[str]]:
    sizes, make = GROWTHS[growth]
    pairs = {size: make(size, requests) for size in sizes}
    times: dict[int, tuple[list[float], list[float]]] = {size: ([], []) for size in sizes}
    for done in range(rounds + 1):
        results_page.progress(f"growth: {growth}: round {done}/{rounds}")
        for size, pair in pairs.items():
            for into, once in zip(times[size], pair, strict=True):
                spent = once()
                if done:  # the first one warms up
                    into.append(spent)
    rows = []
    for size, (bare, ours) in times.items():
        base, median = results_page.spread(bare)[0], results_page.spread(ours)[0]
        added = f"{median - base:.1f}", f"{min(ours) - min(bare):.1f}"
        rows.append([f"{growth}: {size:,}", f"{base:.1f}", f"{median:.1f}", *added])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=6400)
    parser.add_argument("--write", action="store_true", help="keep the table in RESULTS.md")
    args = parser.parse_args()
    rows = []
    for growth in GROWTHS:
        rows += measure(growth, args.rounds, args.requests)
    results_page.progress("growth: done", is_last=True)
    columns = ["", "bare µs", "ours µs", "added µs (medians)", "added µs (minima)"]
    text = (
        f"## As the work grows\n\n{results_page.machine()}; our request path: "
        f"{results_page.which_path()}; {args.rounds} interleaved rounds of {args.requests} "
        f"requests, metrics and span; without drains, which grow with the active series (see "
        f"Reporting).\n\n{results_page.table(columns, rows)}"
    )
    print(text)
    if args.write:
        results_page.keep("growth", text, "python benchmarks/growth.py --write")


if __name__ == "__main__":
    main()
