"""The least that a function on AWS imports and makes: boto3, and one client."""

import sys
import time

begun = time.perf_counter()
import boto3  # noqa: E402 - what is timed

boto3.client("emr")
sys.stdout.write(f'{{"seconds": {time.perf_counter() - begun}}}\n')
