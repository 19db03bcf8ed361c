"""A FastAPI application, instrumented: run it, visit it, and look.

pip install 'wf-instrument[fastapi,dashboard]'
uvicorn --app-dir sample_apps middleware_fastapi:app --port 8080 &
curl http://127.0.0.1:8080/style/1/make
wf-instrument ui ~/.local/state/wf-instrument/styling.db
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from wf_instrument.integrations.fastapi import instrument_app

router = APIRouter()


@router.get("/{number}/make")
async def make_shirts(number: int) -> str:
    return f"Shirts {number} made."


app = instrument_app(FastAPI(), application="Ordering", service="styling")
app.include_router(router, prefix="/style")
