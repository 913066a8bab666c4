"""Scans a folder of log objects as `scan_shard` does, in its environment: `scan.py THREADS TASK`.

Only the writing of what was found is left out, for the bucket is a server that takes nothing.
"""

import json
import math
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

from emr_log_guard.bootstrap.scan_shard import scan_shard
from emr_log_guard.events.rescan import parse_shard


def most_memory() -> float:
    """Read the most memory that this program held, in MB; getrusage has that of its parent, too."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


threads, told = sys.argv[1:]
task = parse_shard(json.loads(told))
if task.shard.folder is None:
    sys.exit("the task is about no folder")
# However slow the machine is: all of it, which takes several invocations on a slow one.
scan = replace(scan_shard(os.environ).log_objects(), threads=int(threads), seconds=math.inf)
used, begun = time.process_time(), time.perf_counter()
done = scan(task.rescan, task.shard, task.shard.folder, "", lambda _: None)
answer = {
    "seconds": time.perf_counter() - begun,
    "processor": time.process_time() - used,
    "log_objects": dict(done.log_objects),
    "megabytes": most_memory(),
}
sys.stdout.write(f"{json.dumps(answer)}\n")
