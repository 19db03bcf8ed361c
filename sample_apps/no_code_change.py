"""A shop that does not know the library; `wf-instrument run` sees it all the same.

pip install 'wf-instrument[flask,dashboard]' gunicorn
wf-instrument run --service shop -- gunicorn --chdir sample_apps --workers 4 no_code_change:app &
curl http://127.0.0.1:8000/items/7
wf-instrument ui ~/.local/state/wf-instrument/shop.db

Or `wf-instrument run -- flask --app sample_apps/no_code_change.py run`.
"""

from __future__ import annotations

import flask

app = flask.Flask(__name__)


@app.get("/items/<int:number>")
def item(number: int) -> str:
    return f"item {number}\n"


@app.post("/items")
def add() -> tuple[str, int]:
    return "added\n", 201
