"""What is remembered of the one sandbox that the command line starts, in `.sandbox/`."""

import contextlib
import json
import urllib.request
from pathlib import Path

from sandbox.deployment import ROOT
from sandbox.running import Sandbox

FOLDER = ROOT / ".sandbox"
LOG = FOLDER / "account.log"
FILE = FOLDER / "account.json"


def remember(sandbox: Sandbox, file: Path = FILE) -> None:
    """Write down where the sandbox runs."""
    file.parent.mkdir(exist_ok=True)
    known = {
        "pid": sandbox.pid,
        "port": sandbox.port,
        "region": sandbox.region,
        "log": str(sandbox.log),
    }
    file.write_text(json.dumps(known))


def forget(file: Path = FILE) -> None:
    """Forget it."""
    file.unlink(missing_ok=True)


def running(file: Path = FILE) -> Sandbox | None:
    """The sandbox that was remembered, if it still runs."""
    try:
        known = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    sandbox = Sandbox(
        pid=known["pid"], port=known["port"], region=known["region"], log=Path(known["log"])
    )
    return sandbox if sandbox.alive() and _answers(sandbox) else None


def _answers(sandbox: Sandbox) -> bool:
    # The process id alone may have been given to another program meanwhile.
    with contextlib.suppress(OSError):
        health = f"{sandbox.endpoint}/_ministack/health"
        with urllib.request.urlopen(health, timeout=5):  # noqa: S310 - our own address
            return True
    return False
