"""What setup.cfg cannot say: the optional accelerator of the request path.

Where it cannot be built (no compiler, no headers, another system than Linux, a Python without a
GIL), the package is installed without it, and its twin in Python runs.
"""

import sys

from setuptools import Extension, setup

FILES = (
    "states",
    "samples",
    "buckets",
    "ended",
    "record",
    "handles",
    "wsgi",
    "asgi",
    "steps",
    "routes",
    "methods",
    "module",
)

setup(
    ext_modules=[
        Extension(
            "wf_instrument.speed._compiled",
            sources=[f"wf_instrument/speed/{name}.c" for name in FILES],
            depends=["wf_instrument/speed/speed.h"],
            # Names that only the parts of the module share are reached without a table, and calls
            # without a stub: fewer lines of the processor's cache between two requests.
            extra_compile_args=["-O2", "-fvisibility=hidden", "-fno-plt"],
            optional=True,
        )
    ]
    if sys.implementation.name == "cpython"
    else [],
)
