"""Imports a function's module, as a cold start does: `start.py`."""

import os
import sys
import time

begun = time.perf_counter()
import app  # type: ignore[import-not-found]  # noqa: E402, F401 - what is timed

sys.stdout.write(f'{{"seconds": {time.perf_counter() - begun}}}\n')
sys.stdout.flush()
os._exit(0)  # without a shutdown, as in Lambda
