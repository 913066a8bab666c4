"""Stores in `.sandbox/` where the command line's sandbox is running."""

import json
from pathlib import Path

from sandbox.deployment import ROOT
from sandbox.running import Sandbox

FOLDER = ROOT / ".sandbox"
LOG = FOLDER / "account.log"
FILE = FOLDER / "account.json"


def save(sandbox: Sandbox) -> None:
    """Store the sandbox's process, port and log."""
    FOLDER.mkdir(exist_ok=True)
    known = {
        "pid": sandbox.pid,
        "port": sandbox.port,
        "region": sandbox.region,
        "log": str(sandbox.log),
    }
    FILE.write_text(json.dumps(known))


def forget() -> None:
    """Delete the record."""
    FILE.unlink(missing_ok=True)


def running() -> Sandbox | None:
    """The recorded sandbox, if it is still running."""
    try:
        known = json.loads(FILE.read_text())
    except FileNotFoundError:
        return None
    sandbox = Sandbox(
        pid=known["pid"], port=known["port"], region=known["region"], log=Path(known["log"])
    )
    return sandbox if sandbox.alive() else None
