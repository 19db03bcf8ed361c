"""A Flask application, wrapped: run it, visit http://127.0.0.1:8080/style/x-1/make, and look.

pip install 'wf-instrument[demo]'
python sample_apps/wrapped_flask.py &
wf-instrument ui ~/.local/state/wf-instrument/styling.db
"""

from __future__ import annotations

import flask
from wf_instrument.integrations.flask import instrument_app

app = instrument_app(flask.Flask(__name__), application="Ordering", service="styling")


@app.route("/style/<path:id>/make")
def make_shirts(id: str) -> str:  # noqa: A002 - the name of the route's variable
    return f"Shirts {id} made.\n"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8080)
