"""Spark Connect sessions: they run on clusters that are up, so these clusters start quickly."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import EmrPace
from tests.e2e.deployed import Deployed, cluster_event, deployed

pytestmark = pytest.mark.xdist_group("sessions")

type Eventually = Callable[..., Any]


@pytest.fixture(scope="module")
def stack(built: Path) -> Iterator[Deployed]:
    """A stack in mode alert, and clusters that are up in a second."""
    with deployed(built, pace=EmrPace(launch=1, step=1, termination=0.2)) as stack:
        yield stack


def test_session_that_overrides_the_key_violates_the_rule_until_it_ends(
    stack: Deployed, eventually: Eventually
) -> None:
    emr, key = stack.account.client("emr"), stack.fixtures.make_key("session-key")
    cluster_id = stack.fixtures.launch(
        "notebooks",
        ReleaseLabel="emr-spark-8.0.0",
        LogEncryptionKmsKeyId=stack.keys.approved,
        SessionEnabled=True,
    )
    eventually(lambda: stack.fixtures.state_of(cluster_id) == "WAITING")
    logs = {"S3LoggingConfiguration": {"Enabled": True, "EncryptionKeyArn": key}}
    session_id = emr.start_session(ClusterId=cluster_id, Name="ide", MonitoringConfiguration=logs)[
        "Id"
    ]

    summary = stack.deliver(cluster_event(cluster_id))

    assert summary["rules"]["EMRLOG-008"] == "NON_COMPLIANT"
    [alert, *_] = stack.inbox.about(cluster_id)
    [finding] = alert["findings"]
    assert finding["summary"].startswith(f"session {session_id} (ide): ")
    assert f"--session-id {session_id}" in finding["remediation"]

    emr.terminate_session(ClusterId=cluster_id, SessionId=session_id)
    summary = stack.deliver(cluster_event(cluster_id))
    assert summary["compliance"] == "COMPLIANT"


def test_session_with_cloudwatch_logs_without_a_key_is_alerted(
    stack: Deployed, eventually: Eventually
) -> None:
    emr = stack.account.client("emr")
    cluster_id = stack.fixtures.launch(
        "dashboards",
        ReleaseLabel="emr-spark-8.0.0",
        LogEncryptionKmsKeyId=stack.keys.approved,
        SessionEnabled=True,
    )
    eventually(lambda: stack.fixtures.state_of(cluster_id) == "WAITING")
    logs = {"CloudWatchLoggingConfiguration": {"Enabled": True, "LogGroup": "ide"}}
    emr.start_session(ClusterId=cluster_id, Name="ide", MonitoringConfiguration=logs)

    summary = stack.deliver(cluster_event(cluster_id))

    broken = {rule for rule, result in summary["rules"].items() if result != "COMPLIANT"}
    assert broken == {"EMRLOG-010"}
    [alert, *_] = stack.inbox.about(cluster_id)
    [finding] = alert["findings"]
    assert finding["summary"].endswith(" sends logs to CloudWatch and names no key for them")
