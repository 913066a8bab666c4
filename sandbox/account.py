"""The account's process: patched MiniStack behind a socket that the parent process has bound.

`sandbox.running` runs it as `python -m sandbox.account`, with the sandbox's environment. On a
signal, or when its parent terminates, it exits, stops the functions' processes and deletes its
files.
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

from sandbox import emulator_patches
from sandbox.calls import Application, noting
from sandbox.settings import CALLS, FAULTS, FOLDER, LATENCY_MS, PARENT, SOCKET

PARENT_CHECK_SECONDS = 0.5


def leave(_signal: int = 0, _frame: FrameType | None = None) -> None:
    """Exit, stop all child processes, and delete the account's files."""
    # Threads in this process may still be writing. A shell therefore removes the files, once its
    # end of the pipe is closed because this process has exited.
    subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; rm -rf "$0"', os.environ[FOLDER]],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    os.killpg(0, signal.SIGKILL)


def leave_with(parent: int) -> None:
    """Wait until the parent process has terminated, then exit."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    leave()


def late(app: Application, seconds: float) -> Application:
    """Delay every response of an ASGI application, in seconds, to emulate network latency."""
    if not seconds:
        return app

    async def answer(scope: dict[str, Any], *rest: object) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(seconds)
        await app(scope, *rest)

    return answer


def main() -> None:
    """Serve the account until a signal arrives."""
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    if parent := os.environ.get(PARENT):
        threading.Thread(target=leave_with, args=(int(parent),), daemon=True).start()
    application = import_module("ministack.app")
    emulator_patches.install()
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{os.environ[SOCKET]}"]
    config.loglevel = "WARNING"
    # Longer than boto3 keeps an idle connection open.
    config.keep_alive_timeout = 75
    serve = import_module("hypercorn.asyncio").serve
    # We handle signals ourselves: hypercorn would wait for open connections.
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
