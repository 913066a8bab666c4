"""Scans a folder of log objects as `scan_shard` does, in its environment: `scan.py THREADS TASK`.

Only the writing of what was found is left out, for the bucket is a server that takes nothing.
"""

import json
import math
import os
import resource
import sys
import time
from dataclasses import replace

from emr_log_guard.bootstrap_rescan import scan_shard
from emr_log_guard.events.rescan import parse_shard

threads, told = sys.argv[1:]
task = parse_shard(json.loads(told))
if task.shard.folder is None:
    sys.exit("the task is about no folder")
# However slow the machine is: all of it, which takes several invocations on a slow one.
scan = replace(scan_shard(os.environ).log_objects, threads=int(threads), seconds=math.inf)
used, begun = time.process_time(), time.perf_counter()
done = scan(task.rescan, task.shard, task.shard.folder, "", lambda _: None)
answer = {
    "seconds": time.perf_counter() - begun,
    "processor": time.process_time() - used,
    "log_objects": dict(done.log_objects),
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}
sys.stdout.write(f"{json.dumps(answer)}\n")
