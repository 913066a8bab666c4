"""Starts a command and reports its time, CPU time and memory: `start.py RESULT COMMAND …`.

It is a small process of its own, because a process's peak memory includes that of its parent.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

result, *command = sys.argv[1:]
begun = time.perf_counter()
process = subprocess.Popen(command)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begun
process.returncode = os.waitstatus_to_exitcode(status)
measured = {
    "seconds": seconds,
    "processor": usage.ru_utime + usage.ru_stime,
    "megabytes": usage.ru_maxrss / 1024,
    "status": process.returncode,
}
Path(result).write_text(json.dumps(measured))
