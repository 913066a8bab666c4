"""The account's own process: MiniStack, corrected, behind a socket that the starter has bound.

Run by `sandbox.running` with the sandbox's environment: `python -m sandbox.account`. It ends, and
takes every function's process and every file with it, when it is told to or when its parent ends.
"""

import asyncio
import os
import signal
import subprocess
import threading
import time
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from sandbox import corrections
from sandbox.calls import Application, noting
from sandbox.settings import CALLS, FAULTS, FOLDER, LATENCY_MS, PARENT, SOCKET

PARENT_CHECK_SECONDS = 0.5


def leave(_signal: int = 0, _frame: FrameType | None = None) -> None:
    """End this process and all that it started. Its files go too."""
    # Threads here may still be writing, so a shell removes the files once this end of its pipe
    # closes, which is when this process is gone.
    subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; rm -rf "$0"', os.environ[FOLDER]],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    os.killpg(0, signal.SIGKILL)


def leave_with(parent: int) -> None:
    """Wait until the process that started this one is gone, and follow."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    leave()


def late(app: Application, seconds: float) -> Application:
    """Let every answer of an ASGI application take so much longer, as a network does."""
    if not seconds:
        return app

    async def answer(scope: dict[str, Any], *rest: object) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(seconds)
        await app(scope, *rest)

    return answer


def main() -> None:
    """Serve the account until told to stop."""
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    if parent := os.environ.get(PARENT):
        threading.Thread(target=leave_with, args=(int(parent),), daemon=True).start()
    application = import_module("ministack.app")
    corrections.install()
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{os.environ[SOCKET]}"]
    config.loglevel = "WARNING"
    # Longer than the time that boto3 keeps an idle connection.
    config.keep_alive_timeout = 75
    serve = import_module("hypercorn.asyncio").serve
    # Signals are ours to handle: hypercorn would wait for the connections that are open.
    answered = late(application.app, float(os.environ.get(LATENCY_MS, "0")) / 1000)
    if os.environ.get(FAULTS):
        faults = import_module("sandbox.faults.middleware")
        import_module("sandbox.faults.deliveries").install()
        import_module("sandbox.faults.retries").install()
        answered = faults.FaultyAccount(answered)
    if calls := os.environ.get(CALLS):
        answered = noting(answered, Path(calls))
    asyncio.run(serve(answered, config, shutdown_trigger=asyncio.Event().wait))


if __name__ == "__main__":
    main()
