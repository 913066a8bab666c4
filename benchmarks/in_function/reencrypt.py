"""Re-encrypts log objects as `reencrypt` does, batch by batch: `reencrypt.py BATCH FILE`.

The file is JSON: the bodies of the queue's messages. Requests to S3 are counted by their operation.
"""

import json
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import app  # type: ignore[import-not-found]  # the function's own module

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.call_count import CallCount

requests = CallCount()
requests.attach(clients.s3())


def most_memory() -> float:
    """The peak memory of this process in MB; getrusage would include the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


size, file = int(sys.argv[1]), Path(sys.argv[2])
bodies: list[str] = json.loads(file.read_text())
context = SimpleNamespace(
    function_name="benchmark",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:111122223333:function:benchmark",
    aws_request_id="0",
    get_remaining_time_in_millis=lambda: 60_000,
)
failed, first_batch = 0, 0.0
used, begun = time.process_time(), time.time()
for first in range(0, len(bodies), size):
    records = [
        {
            "messageId": f"{place}",
            "receiptHandle": f"{place}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        for place, body in enumerate(bodies[first : first + size])
    ]
    failed += len(app.lambda_handler({"Records": records}, context)["batchItemFailures"])
    first_batch = first_batch or most_memory()
answer = {
    "begun": begun,
    "ended": time.time(),
    "processor": time.process_time() - used,
    "megabytes": most_memory(),
    "megabytes_of_first_batch": first_batch,
    "failed": failed,
    "requests": requests.counts,
}
sys.stdout.write(f"{json.dumps(answer)}\n")
