"""The minimum that a function on AWS imports and creates: boto3 and one client."""

import os
import sys
import time

begun = time.perf_counter()
import boto3  # noqa: E402 - what is timed

boto3.client("emr")
sys.stdout.write(f'{{"seconds": {time.perf_counter() - begun}}}\n')
sys.stdout.flush()
os._exit(0)  # without a shutdown, as in Lambda
