"""The application that `server_throughput.py` has gunicorn and uvicorn serve.

`BENCH_VARIANT` says how it is wrapped; `BENCH_FRAMEWORK` which framework it is of.
"""

from __future__ import annotations

import os

from overhead_variants import VARIANTS

app = VARIANTS[os.environ["BENCH_VARIANT"]](os.environ["BENCH_FRAMEWORK"]).app
