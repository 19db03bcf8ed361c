"""A Flask application of which one view is seen, with attributes of the request as span tags.

pip install 'wf-instrument[demo]'
python sample_apps/decorated_views.py &
curl http://127.0.0.1:8080/style/x-1/make
wf-instrument ui
"""

from __future__ import annotations

import flask
from wf_instrument.integrations.flask import FlaskTracing

app = flask.Flask(__name__)
tracing = FlaskTracing()


@app.route("/style/<path:id>/make")
@tracing.trace("url", "method")
def make_shirts(id: str) -> str:  # noqa: A002 - the name of the route's variable
    span = tracing.get_span()
    if span is not None:
        span.set_tag("style", id)
    return f"Shirts {id} made.\n"


@app.route("/")
def home() -> str:
    return "Not recorded.\n"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8080)
