"""Scans a folder of log objects as `scan_shard` does, in its environment: `scan.py THREADS TASK`.

Results are not written, because the server of the bucket is read-only.
"""

import json
import math
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

from emr_log_guard.bootstrap.rescan import scan_shard
from emr_log_guard.events.rescan import parse_shard


def most_memory() -> float:
    """The peak memory of this process in MB; getrusage would include the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


threads, request = sys.argv[1:]
task = parse_shard(json.loads(request))
if task.shard.folder is None:
    sys.exit("the task names no folder")
# Scan everything, however slow the machine is; Lambda may need several invocations for it.
scan = replace(scan_shard(os.environ).log_objects, threads=int(threads), seconds=math.inf)
used, begun = time.process_time(), time.perf_counter()
done = scan(task.rescan, task.shard, task.shard.folder, "", lambda _: None)
answer = {
    "seconds": time.perf_counter() - begun,
    "processor": time.process_time() - used,
    "log_objects": dict(done.log_objects),
    "megabytes": most_memory(),
}
sys.stdout.write(f"{json.dumps(answer)}\n")
