"""EMR clusters and steps take time to change their state. Upstream: as an option.

In MiniStack, a cluster is WAITING or TERMINATED immediately. With this patch it goes through
STARTING, BOOTSTRAPPING and RUNNING to WAITING or, if it does not stay alive without steps, through
TERMINATING to TERMINATED. `sandbox.settings` sets the duration of each state.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-overview.html#emr-overview-cluster-lifecycle
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.emulator_patches import emr_events
from sandbox.emulator_patches.hooks import (
    Response,
    account_and_region,
    handle_emr,
    original_emr,
    part,
)
from sandbox.settings import (
    EMR_LAUNCH_SECONDS,
    EMR_STEP_SECONDS,
    EMR_TERMINATION_SECONDS,
    seconds,
)

STARTING = ("STARTING",)
LAUNCHING = ("STARTING", "BOOTSTRAPPING")
READY = ("RUNNING", "WAITING")


def later(delay: float, act: Callable[[], None]) -> None:
    """Call `act` after `delay` seconds, in the account and Region of the current request."""
    account, region = account_and_region()

    def in_scope() -> None:
        with part("core.responses", "request_scope")(account, region):
            act()

    timer = threading.Timer(delay, in_scope)
    timer.daemon = True
    timer.start()


def enter(
    record: dict[str, Any], state: str, *, come_from: Sequence[str], code: str = "", why: str = ""
) -> bool:
    """Put the cluster into `state` and send the event, unless it is no longer in `come_from`."""
    if record["Status"]["State"] not in come_from:
        return False
    record["Status"]["State"] = state
    if code:
        record["Status"]["StateChangeReason"] = {"Code": code, "Message": why}
    emr_events.cluster_changed(record)
    return True


def begin(record: dict[str, Any]) -> None:
    """Start the life cycle of a new cluster. EMR sends the STARTING event more than once."""
    launch = seconds(EMR_LAUNCH_SECONDS)
    record["Status"].update(State="STARTING", StateChangeReason={})
    record.pop("MasterPublicDnsName", None)
    emr_events.cluster_changed(record)
    later(launch / 3, lambda: _start_again(record))
    later(launch * 2 / 3, lambda: _bootstrap(record))
    later(launch, lambda: _run(record))


def end(record: dict[str, Any], code: str, why: str) -> None:
    """Terminate a cluster: TERMINATING, then TERMINATED. Has no effect if that already began."""
    if not enter(record, "TERMINATING", come_from=(*LAUNCHING, *READY), code=code, why=why):
        return
    later(seconds(EMR_TERMINATION_SECONDS), lambda: _terminated(record))


def steps_were_added(record: dict[str, Any], steps: Sequence[dict[str, Any]]) -> None:
    """Send the PENDING events of the steps, and run the steps if the cluster is running."""
    for step in steps:
        emr_events.step_changed(record, step)
    if enter(record, "RUNNING", come_from=("WAITING",)) or record["Status"]["State"] == "RUNNING":
        _run_steps(record)


def _start_again(record: dict[str, Any]) -> None:
    enter(record, "STARTING", come_from=STARTING)


def _bootstrap(record: dict[str, Any]) -> None:
    enter(record, "BOOTSTRAPPING", come_from=STARTING)


def _run(record: dict[str, Any]) -> None:
    if enter(record, "RUNNING", come_from=LAUNCHING):
        record["Status"]["Timeline"]["ReadyDateTime"] = time.time()
        _run_steps(record)


def _run_steps(record: dict[str, Any]) -> None:
    waiting = [step for step in _steps(record) if step["Status"]["State"] == "PENDING"]
    for step in waiting:
        step["Status"]["State"] = "RUNNING"
        step["Status"]["Timeline"]["StartDateTime"] = time.time()
        emr_events.step_changed(record, step)
    later(seconds(EMR_STEP_SECONDS) if waiting else 0, lambda: _steps_done(record))


def _steps_done(record: dict[str, Any]) -> None:
    if record["Status"]["State"] != "RUNNING":
        return
    for step in _steps(record):
        if step["Status"]["State"] == "RUNNING":
            step["Status"]["State"] = "COMPLETED"
            step["Status"]["Timeline"]["EndDateTime"] = time.time()
            emr_events.step_changed(record, step)
    if record["AutoTerminate"]:
        end(record, "ALL_STEPS_COMPLETED", "Steps completed")
    else:
        enter(record, "WAITING", come_from=("RUNNING",))


def _terminated(record: dict[str, Any]) -> None:
    record["Status"]["Timeline"]["EndDateTime"] = time.time()
    for step in _steps(record):
        if step["Status"]["State"] in ("PENDING", "RUNNING"):
            step["Status"]["State"] = "CANCELLED"
            emr_events.step_changed(record, step)
    enter(record, "TERMINATED", come_from=("TERMINATING",))


def _steps(record: dict[str, Any]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = part("services.emr", "_steps").get(record["Id"], [])
    return list(steps)


def install() -> None:
    """Give every new cluster a life cycle."""
    run = original_emr("RunJobFlow")

    def run_job_flow(request: dict[str, Any]) -> Response:
        known = set(part("services.emr", "_clusters").keys())
        response = run(request)
        for cluster_id, record in part("services.emr", "_clusters").items():
            if cluster_id not in known:
                begin(record)
                for step in _steps(record):
                    emr_events.step_changed(record, step)
        return response

    handle_emr("RunJobFlow", run_job_flow)
