"""EMR runs Spark Connect sessions. Upstream: yes.

MiniStack has none. With this patch a session is IDLE as soon as it is started, and TERMINATED when
it or its cluster is terminated.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-spark-connect-sessions.html
https://docs.aws.amazon.com/emr/latest/APIReference/API_StartSession.html
https://docs.aws.amazon.com/emr/latest/APIReference/API_ListSessions.html
https://docs.aws.amazon.com/emr/latest/APIReference/API_TerminateSession.html
"""

import time
import uuid
from typing import Any

from sandbox.emulator_patches.emr_clusters import SESSIONS, cluster_record, unknown_cluster
from sandbox.emulator_patches.emr_life import READY
from sandbox.emulator_patches.hooks import Response, account_and_region, answer, handle_emr, refuse
from sandbox.emulator_patches.pages import InvalidMarkerError, page

MOST_A_PAGE = 100
KEPT = ("Name", "ExecutionRoleArn", "EngineConfigurations", "MonitoringConfiguration", "Tags")
"""The fields of StartSession that Session returns unchanged."""


def start_session(request: dict[str, Any]) -> Response:
    """Handle StartSession."""
    record = cluster_record(request.get("ClusterId"))
    if record is None:
        return unknown_cluster(request.get("ClusterId"))
    if not record.get("SessionEnabled"):
        return refuse("InvalidRequestException", "Sessions are not enabled on the cluster.")
    if record["Status"]["State"] not in READY:
        return refuse("InvalidRequestException", "The cluster is not RUNNING or WAITING.")
    if not request.get("Name"):
        return refuse("InvalidRequestException", "Name is required.")
    session_id = f"is-{uuid.uuid4().hex[:13].upper()}"
    account, _ = account_and_region()
    named = {
        "Id": session_id,
        "ClusterId": record["Id"],
        "Arn": f"{record['ClusterArn']}/session/{session_id}",
        "AccountId": account,
    }
    said = {field: request[field] for field in KEPT if field in request}
    session = {**named, **said, "State": "IDLE", "CreatedAt": time.time()}
    record.setdefault(SESSIONS, []).append(session)
    return answer({**named, "State": "SUBMITTED"})


def list_sessions(request: dict[str, Any]) -> Response:
    """Handle ListSessions, newest first."""
    record = cluster_record(request.get("ClusterId"))
    if record is None:
        return unknown_cluster(request.get("ClusterId"))
    over = record["Status"]["State"] not in READY
    states = request.get("SessionStates")
    sessions = [
        session
        for kept in reversed(record.get(SESSIONS, []))
        for session in [kept | ({"State": "TERMINATED"} if over else {})]
        if not states or session["State"] in states
    ]
    size = request.get("MaxResults", MOST_A_PAGE)
    try:
        found = page(
            sessions, "Sessions", request.get("NextToken"), next_page="NextToken", size=size
        )
    except InvalidMarkerError as error:
        return refuse("InvalidRequestException", str(error))
    return answer(found)


def terminate_session(request: dict[str, Any]) -> Response:
    """Handle TerminateSession."""
    record = cluster_record(request.get("ClusterId"))
    if record is None:
        return unknown_cluster(request.get("ClusterId"))
    for session in record.get(SESSIONS, []):
        if session["Id"] == request.get("SessionId"):
            session["State"] = "TERMINATED"
            return answer({})
    return refuse(
        "InvalidRequestException", f"Session id '{request.get('SessionId')}' is not valid."
    )


def install() -> None:
    """Handle the three actions as documented."""
    handle_emr("StartSession", start_session)
    handle_emr("ListSessions", list_sessions)
    handle_emr("TerminateSession", terminate_session)
