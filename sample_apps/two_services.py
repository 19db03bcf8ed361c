"""Two services that call each other over HTTP: one trace shows the whole way of an order.

pip install 'wf-instrument[flask,dashboard]'
python sample_apps/two_services.py &
curl http://127.0.0.1:8080/order/shirt
wf-instrument ui two_services.db

The shop is a Flask application, the prices a Starlette one. An order asks for the price, which
asks the shop what is in stock; each call carries the trace in its headers.
"""

from __future__ import annotations

import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import flask
import opentracing
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import wf_instrument

if TYPE_CHECKING:
    from starlette.requests import Request


def get(url: str) -> str:
    """Ask another service, within a span whose context travels in the headers."""
    with wf_instrument.span("GET", span__kind="client", http__url=url) as span:
        headers: dict[str, str] = {}
        span.tracer.inject(span, opentracing.Format.HTTP_HEADERS, headers)
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            text: str = answer.read().decode()
            return text


def make_shop(prices_url: str, **settings: object) -> flask.Flask:
    app = flask.Flask("shop")

    @app.route("/order/<item>")
    def order(item: str) -> str:
        return f"1 {item}: {get(f'{prices_url}/price/{item}')}\n"

    @app.route("/stock/<item>")
    def stock(item: str) -> str:
        return "3"

    wf_instrument.instrument(app, application="orders", service="shop", **settings)
    return app


def make_prices(shop_url: str, **settings: object) -> Starlette:
    def price(request: Request) -> PlainTextResponse:
        left = int(get(f"{shop_url}/stock/{request.path_params['item']}"))
        return PlainTextResponse(f"{20 + 10 // left}.00")

    app = Starlette(routes=[Route("/price/{item}", price)])
    wf_instrument.instrument(app, application="orders", service="prices", **settings)
    return app


if __name__ == "__main__":
    # One store for both, so that their traces meet in it.
    store = f"local://{Path('two_services.db').absolute()}"
    shop = make_shop("http://127.0.0.1:8081", reporter=store)
    threading.Thread(target=shop.run, kwargs={"port": 8080}, daemon=True).start()
    uvicorn.run(make_prices("http://127.0.0.1:8080", reporter=store), port=8081)
