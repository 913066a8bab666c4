"""What is remembered of the one sandbox that the command line starts, in `.sandbox/`."""

import json
from pathlib import Path

from sandbox.deployment import ROOT
from sandbox.running import Sandbox

FOLDER = ROOT / ".sandbox"
LOG = FOLDER / "account.log"
FILE = FOLDER / "account.json"


def remember(sandbox: Sandbox) -> None:
    """Write down where the sandbox runs."""
    FOLDER.mkdir(exist_ok=True)
    known = {
        "pid": sandbox.pid,
        "port": sandbox.port,
        "region": sandbox.region,
        "log": str(sandbox.log),
    }
    FILE.write_text(json.dumps(known))


def forget() -> None:
    """Forget it."""
    FILE.unlink(missing_ok=True)


def running() -> Sandbox | None:
    """The sandbox that was remembered, if it still runs."""
    try:
        known = json.loads(FILE.read_text())
    except FileNotFoundError:
        return None
    sandbox = Sandbox(
        pid=known["pid"], port=known["port"], region=known["region"], log=Path(known["log"])
    )
    return sandbox if sandbox.alive() else None
